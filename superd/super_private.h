/*
 * super_private: the whole of a running superd; everything hangs from here.
 */
#ifndef SUPERD_SUPER_PRIVATE_H
#define SUPERD_SUPER_PRIVATE_H

#include "superd/control.h"
#include "superd/notify.h"
#include "superd/reload.h"
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
	struct control *control;
	size_t status_next; /* SIGUSR1: the service whose line is next */
	struct loop_timer status_timer;
	struct reload *reload;
	char *conf_path;              /* absolute, for reloads */
	struct super_prepared *ahead; /* what a reload has prepared; NULL: nothing */
	char *pid_path;               /* NULL: none */
	int pid_fd;
	char problem[UPGRADE_TEXT_SIZE]; /* the first one of the configuration, at the start */
	bool stopping;
	bool terminated; /* stopping: the programs were sent TERM */
	bool killed;     /* and KILL */
	bool done;
	int64_t turn_ns;                 /* when the last turn began */
	struct loop_timer slot_timer;    /* while a start is under way: 1 or 5 ms */
	struct loop_timer log_timer;     /* while a log takes nothing: 1 s */
	struct loop_timer starved_timer; /* while a service waits for something to become free */
	struct loop_timer reap_timer;    /* while unnamed programs may have ended: 10 ms */
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

/*
 * Opens the control socket of the configuration. A default that cannot be made is a line in the
 * log; returns 0, or the exit status with *error for one that is set.
 */
int super_control_open(struct super *super, struct error *error);

/* The same for a superd that goes on for another, whose control socket at path was fd (-1: none).
 */
int super_control_restore(struct super *super, const char *path, int fd, struct error *error);

/* What the configuration conf says about the control socket. */
struct control_place super_control_place(const struct conf *conf);

/* Makes what reloads need. Returns 0, or the exit status with *error. */
int super_reload_init(struct super *super, struct error *error);

/*
 * Loads the configuration again and puts it in force, as a whole or not at all. done (NULL:
 * nobody) is told when that has ended. Returns 0, or -1 with *error.
 */
int super_reload(struct super *super, const struct reload_done *done, struct error *error);

/* The verbs reload and diff. */
void super_answer_reload(struct super *super, struct control_request *request);
void super_answer_diff(struct super *super, struct control_request *request);

/* Opens the files of the log again. Returns 0, or -1 with *error; then the old ones stay. */
int super_reopen(struct super *super, struct error *error);

/* The sink of a log block; a target that was set nowhere is stderr in the foreground and syslog
   as a daemon. */
int super_open_sink(const struct super *super, const struct conf_log *log, struct log_sink **sink,
	struct error *error);

/* Whether any service of conf has `idle`. */
bool super_needs_sockdiag(const struct conf *conf);

/* SIGUSR1: a line for every service, some of them a turn. */
void super_log_status(struct super *super);

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
