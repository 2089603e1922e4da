/*
 * super_private: the whole of a running superd; everything hangs from here.
 */
#ifndef SUPERD_SUPER_PRIVATE_H
#define SUPERD_SUPER_PRIVATE_H

#include "superd/notify.h"
#include "superd/service_list.h"
#include "superd/super.h"
#include "superd/super_upgrade.h"

#include <sys/resource.h>

#define SUPER_OF(pointer, member) \
	((struct super *)(void *)((char *)(pointer)-offsetof(struct super, member)))

struct super {
	const struct super_options *options;
	const struct conf *conf;
	struct rlimit open_files; /* as superd was started */
	struct service_context context;
	struct inherit given;      /* sockets superd was given, until the listeners are open */
	const char *given_problem; /* with LISTEN_FDS; NULL: none */
	struct service_list services;
	int64_t started_ns;     /* monotonic; an upgrade does not change it */
	int64_t loaded_wall_ns; /* when the configuration in force was loaded, */
	uint64_t generation;    /* and which one it is: 1 at the start */
	struct super_handover handover;
	struct notify notify;
	struct super_orphan *orphans; /* configurations of retired services that have none */
	char *kept_pid_path;          /* from before an upgrade; NULL: none */
	const char *pid_path;
	int pid_fd;
	char problem[UPGRADE_TEXT_SIZE]; /* the first one of the configuration, at the start */
	bool stopping;
	bool terminated; /* stopping: the programs were sent TERM */
	bool killed;     /* and KILL */
	bool done;
	struct loop_timer slot_timer;    /* while a start is under way: 1 ms */
	struct loop_timer log_timer;     /* while a log takes nothing: 1 s */
	struct loop_timer starved_timer; /* while a service waits for something to become free */
	struct loop_timer drain_timer;   /* stopping: until TERM */
	struct loop_timer grace_timer;   /* stopping: from TERM to KILL, from KILL to giving up */
	int ignored_signal;              /* the last one that was ignored, and when it was told */
	int64_t ignored_ns;
};

/* Descriptors and limits of the process, and the configuration. Problems have been printed where
 *error stays empty. Returns 0 or the exit status. */
int super_load(struct super *super, struct error *error);

/* Loop, log, pool, table and services, nothing open yet. Returns 0 or the exit status. */
int super_build(struct super *super, struct error *error);

/* Takes the pid file and opens the listeners. Returns 0 or the exit status. */
int super_open(struct super *super, struct error *error);

/* How many listeners are open. */
size_t super_open_count(const struct super *super);

/* Makes the services' sink of a log block. */
int super_open_sink(const struct super *super, const struct conf_log *log, struct log_sink **sink,
	struct error *error);

/* Frees everything; running programs are left alone. */
void super_end(struct super *super);

/* The timers of the stop. */
void super_stop_init(struct super *super);

/*
 * Closes the listeners, lets the programs finish for `drain`, then asks them to end, and after
 * `grace` kills them; super->done follows when they have ended. A second call ends the draining.
 */
void super_stop(struct super *super);

/* Ends superd with this turn, and leaves the programs alone. */
void super_leave(struct super *super);

#endif
