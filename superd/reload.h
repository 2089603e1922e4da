/*
 * reload: from a request to a new configuration in force, or to nothing changed and the reasons.
 *
 * The file is loaded by the configuration's own process; what it says is planned, prepared (all
 * that is new is opened before anything is dropped) and committed, in pieces of a few
 * milliseconds, so that accepting goes on. The commit itself is one piece. One at a time: a
 * request meanwhile queues one more.
 */
#ifndef SUPERD_RELOAD_H
#define SUPERD_RELOAD_H

#include "superd/conf.h"
#include "superd/error.h"
#include "superd/log.h"
#include "superd/service.h"
#include "superd/service_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct reload;

/* What reload needs of superd; everything pointed at outlives it. */
struct reload_host {
	struct service_context *context;
	struct service_list *list;
	struct conf_request request; /* the file is an absolute path: superd may be elsewhere than
					at its start */
	void *owner;
	/* Opens the sink of a log block, as log_sink_open() does. */
	int (*sink_cb)(void *owner, const struct conf_log *log, struct log_sink **sink,
		struct error *error);
	/* The part that is superd's own: what can fail, and then either of the others. commit_cb
	   returns the number of the configuration: one more than that of the last one. */
	int (*prepare_cb)(void *owner, const struct conf *conf, struct error *error);
	uint64_t (*commit_cb)(void *owner, const struct conf *conf);
	void (*abort_cb)(void *owner);
	/* A reload has begun, has ended (not for reload_diff()). */
	void (*begun_cb)(void *owner);
	void (*ended_cb)(void *owner);
};

/*
 * The end of a request. done: the configuration is in force, or the plan was made. lines are
 * count texts: problems and warnings ("FILE:LINE: text"), or the plan.
 */
struct reload_done {
	void (*done_cb)(void *owner, bool done, const char *const *lines, size_t count);
	void *owner;
};

/* Makes the reload of host, whose configuration conf (its own from now on) is in force. Returns 0,
   or -1 with *error and conf still the caller's. */
int reload_new(const struct reload_host *host, const struct conf *conf, struct reload **reload,
	struct error *error);

/* Ends what is under way, as if it had failed, and takes nothing more. For the end of superd. */
void reload_stop(struct reload *reload);

/* After reload_stop() and the end of all services: frees it and every configuration. NULL is
   allowed. */
void reload_free(struct reload *reload);

/*
 * Asks for a reload; done (NULL: nobody) is told when one that began after this call has ended.
 * Returns 0, or -1 with *error (out of memory, superd stops): then done is never told.
 */
int reload_begin(struct reload *reload, const struct reload_done *done, struct error *error);

/* Asks what a reload with the file path (absolute) would do; done is told the plan. As above. */
int reload_diff(struct reload *reload, const char *path, const struct reload_done *done,
	struct error *error);

/* A process that is no program has ended; if it is the loader, its status is taken. */
void reload_reaped(struct reload *reload, pid_t pid, int status);

/* Adds a warning to the result of the reload that is being committed; for commit_cb. */
void reload_warn(struct reload *reload, const char *text);

/* Tells the log what waits for its second, now. */
void reload_flush(struct reload *reload);

/* Whether one is under way. */
bool reload_busy(const struct reload *reload);

#endif
