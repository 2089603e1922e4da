/*
 * reload_private: what the parts of reload share among themselves, and nobody else.
 */
#ifndef SUPERD_RELOAD_PRIVATE_H
#define SUPERD_RELOAD_PRIVATE_H

#include "superd/holder.h"
#include "superd/loop.h"
#include "superd/reload.h"
#include "superd/reload_leftover.h"
#include "superd/reload_lines.h"
#include "superd/reload_plan.h"
#include "superd/reload_prepare.h"
#include "superd/report.h"

/* Who waits for the end of a request. */
struct reload_waiter {
	struct reload_waiter *next;
	struct reload_done done;
};

/* One request, or several that one reload serves. */
struct reload_job {
	struct reload_job *next;
	char *path; /* a plan for this file is asked for; NULL: a reload */
	struct reload_waiter *waiters;
};

/*
 * A configuration that is not in force any more, with what is left to do for it. It goes when all
 * of that is done and nobody uses it: no retired service, no start under way.
 */
struct reload_old {
	struct reload_old *next;
	const struct conf *conf;
	struct reload_plan
		plan; /* that replaced it: what services had is closed, kept ones adopt */
	size_t item;  /* how far that has come, */
	size_t socket;
	bool postponed; /* something was passed over, because a start under way uses it */
	bool clean;     /* nothing is left to do */
};

/* What is to be told of reloads that ended alike: at most once a second. */
struct reload_story {
	int64_t told_ns;
	int64_t last_ns; /* when the last one ended */
	uint64_t count;  /* since it was told */
	struct report_reload_facts facts;
	struct reload_lines lines; /* of the last one */
};

enum reload_stage {
	RELOAD_IDLE,
	RELOAD_LOADING,
	RELOAD_PLANNING,
	RELOAD_PREPARING,
	RELOAD_UNDOING,
	RELOAD_SEARCHING, /* who has the endpoint that could not be had */
	RELOAD_CLEANING,  /* it is committed; what is not needed any more goes */
};

struct reload {
	struct reload_host host;
	struct loop *loop;
	bool stopping;
	const struct conf *current;
	struct reload_job *jobs; /* the first one is under way, unless idle */
	enum reload_stage stage;
	int64_t begun_ns;
	struct loop_timer step; /* started: there is something to do in the next turn */
	struct reload_lines lines;
	struct report_reload_facts facts;
	/* loading */
	struct conf_load *load;
	struct loop_watch load_watch;
	struct loop_timer load_deadline;
	/* planning, preparing, undoing, searching */
	const struct conf *conf; /* the new one; NULL: none, or it is in force */
	struct reload_plan plan;
	struct reload_prepare prepare;
	struct holder *holder;
	struct error problem;
	/* cleaning */
	struct reload_old *olds; /* the last one first */
	struct reload_leftover *leftovers;
	struct loop_timer sweep;
	/* telling */
	struct reload_story stories[2]; /* failed, done */
	struct loop_timer story_timer;
};

/* Forks the loader for the first job; reload_loaded() or reload_fail() follows. */
void reload_load(struct reload *reload);

/* Kills a loader that is under way. */
void reload_load_kill(struct reload *reload);

/* Gives up a loader that may not even be reaped. */
void reload_load_abandon(struct reload *reload);

/* The new configuration is reload->conf. */
void reload_loaded(struct reload *reload);

/* The first job has failed; *error says why unless its text is empty. What was prepared is undone.
 */
void reload_fail(struct reload *reload, const struct error *error);

/* Prepared as it is, the plan is carried out. Returns 0; or -1 with *error and nothing changed. */
int reload_commit(struct reload *reload, struct error *error);

/* Does a bit of what is left to do for an old configuration; force: without regard to starts under
   way. Returns whether there is more. */
bool reload_clean_step(struct reload *reload, struct reload_old *old, bool force);

/* Frees what nobody uses any more, and comes back to the rest by itself. */
void reload_sweep(struct reload *reload);
void reload_sweep_timer(struct loop_timer *timer);

/* Tells the log how the job ended: lines is taken over. */
void reload_tell(struct reload *reload, bool done, struct reload_lines *lines);
void reload_story_timer(struct loop_timer *timer);

#define RELOAD_OF(pointer, member) \
	((struct reload *)(void *)((char *)(pointer)-offsetof(struct reload, member)))

#define RELOAD_LINES_MAX 202 /* all that a load tells: 100 of each kind, and how many more */

#endif
