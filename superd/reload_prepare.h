/*
 * reload_prepare: everything of a plan that can fail, done before anything is dropped: new
 * services, new sockets, new options of sockets that stay. Each step is short, and all of them can
 * be undone.
 */
#ifndef SUPERD_RELOAD_PREPARE_H
#define SUPERD_RELOAD_PREPARE_H

#include "superd/error.h"
#include "superd/listener.h"
#include "superd/log.h"
#include "superd/reload_leftover.h"
#include "superd/reload_plan.h"
#include "superd/service.h"

#include <stdbool.h>
#include <stddef.h>

/* Zeroed before the first use. */
struct reload_prepare {
	struct service_context *context;
	struct reload_plan *plan;
	struct reload_leftover *leftovers; /* they may serve again */
	/* opens the sink of a log block, as log_sink_open() does */
	int (*sink_cb)(void *owner, const struct conf_log *log, struct log_sink **sink,
		struct error *error);
	void *owner;
	enum {
		PREPARE_CHANGES, /* each service by itself */
		PREPARE_SOURCES, /* which open socket serves which new listener */
		PREPARE_SOCKETS,
		PREPARE_DONE,
	} stage;
	size_t item;                  /* the one it has come to, */
	size_t socket;                /* and which of its sockets */
	struct listener **candidates; /* sorted: leftovers, and those of services that are removed
					 or get other sockets */
	size_t candidate_count;
	bool beside; /* a new socket was opened beside a candidate */
	bool undoing;
	const struct listener *culprit; /* the listener that could not be had; or NULL */
};

/*
 * The next step. Returns 1 where more follow, 0 where all is prepared; or -1 with *error, and
 * culprit set where it is about an endpoint: then all of it is to be undone.
 */
int reload_prepare_step(struct reload_prepare *prepare, struct error *error);

/* Undoes a part. Returns whether there is more to undo; when not, the plan has no changes. */
bool reload_prepare_undo(struct reload_prepare *prepare);

/* The last step, which must be followed by the commit at once: new unix sockets that were bound
   beside old ones get their names. Returns 0, or -1 with *error. */
int reload_prepare_settle(struct reload_prepare *prepare, struct error *error);

/* Frees what it has besides the plan's changes. */
void reload_prepare_end(struct reload_prepare *prepare);

#endif
