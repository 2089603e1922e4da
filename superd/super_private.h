/*
 * super_private: the whole of a running superd; everything hangs from here.
 */
#ifndef SUPERD_SUPER_PRIVATE_H
#define SUPERD_SUPER_PRIVATE_H

#include "superd/service_list.h"
#include "superd/super.h"

#include <sys/resource.h>

/* An upgrade under way. */
struct super_handover {
	enum {
		HANDOVER_NONE,
		HANDOVER_TRIAL, /* the new program is being tried */
		HANDOVER_DUE,   /* it takes over as soon as no start of a program is under way */
	} stage;
	unsigned attempts; /* HANDOVER_DUE */
	struct upgrade_trial trial;
	struct loop_timer again; /* the next attempt */
	void (*done_cb)(void *owner, const char *problem);
	void *owner;
};

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

/* How many listeners are open. */
size_t super_open_count(const struct super *super);

/* Makes the services' sink of a log block. */
int super_open_sink(const struct super *super, const struct conf_log *log,
	struct log_sink **sink, struct error *error);

/* Frees everything; running programs are left alone. */
void super_end(struct super *super);

/*
 * Upgrades in place. done_cb (NULL: none) is called once, perhaps at once: problem says why nothing
 * came of it; where it is NULL the new program is about to take over. What happens is in the log
 * too.
 */
void super_upgrade(struct super *super, void (*done_cb)(void *owner, const char *problem), void *owner);

/* At the end of a turn: becomes the new program where that is due. */
void super_hand_over(struct super *super);

/* A process was reaped that is none of the programs. */
void super_upgrade_reaped(struct super *super, pid_t pid, int status);

/* No upgrade any more, superd stops. */
void super_upgrade_cancel(struct super *super);

/* What is handed over. Returns 0, or -1 with *error; *state is to be freed in both cases. */
int super_snapshot(struct super *super, struct state *state, struct error *error);

/*
 * Everything of the state of options->arrival that needs no open listeners: counts, sources,
 * pauses, programs; where the arrival is a trial, only what touches no descriptor and no process.
 * The listeners' sockets go to super->given. Returns 0 or the exit status.
 */
int super_restore(struct super *super, struct error *error);

/* Closes the listeners and asks the programs to end; super->done follows when they have. */
void super_stop(struct super *super);

#endif
