/*
 * super_private: the whole of a running superd; everything hangs from here.
 */
#ifndef SUPERD_SUPER_PRIVATE_H
#define SUPERD_SUPER_PRIVATE_H

#include "superd/service_list.h"
#include "superd/super.h"

#include <sys/resource.h>

struct super {
	const struct super_options *options;
	const struct conf *conf;
	struct rlimit open_files; /* as superd was started */
	struct service_context context;
	struct inherit given;      /* sockets superd was given, until the listeners are open */
	const char *given_problem; /* with LISTEN_FDS; NULL: none */
	struct service_list services;
	const char *pid_path;
	int pid_fd;
	bool stopping;
	bool done;
	struct loop_timer slot_timer;    /* while a start is under way: 1 ms */
	struct loop_timer log_timer;     /* while a log takes nothing: 1 s */
	struct loop_timer starved_timer; /* while a service waits for something to become free */
	struct loop_timer grace_timer;   /* stopping: from TERM to KILL, from KILL to giving up */
	bool killed;
	int ignored_signal; /* the last one that was ignored, and when it was told */
	int64_t ignored_ns;
};

/* Descriptors and limits of the process, and the configuration. Problems have been printed where
 *error stays empty. Returns 0 or the exit status. */
int super_load(struct super *super, struct error *error);

/* Loop, log, pool, table and services, nothing open yet. Returns 0 or the exit status. */
int super_build(struct super *super, struct error *error);

/* Takes the pid file and opens the listeners. Returns 0 or the exit status. */
int super_open(struct super *super, struct error *error);

/* Frees everything; running programs are left alone. */
void super_end(struct super *super);

/* Closes the listeners and asks the programs to end; super->done follows when they have. */
void super_stop(struct super *super);

#endif
