/*
 * upgrade: one superd after the other in the same process, by exec(2): the trial of the new
 * program, the exec itself, and how a program learns that it was started so. What is handed over
 * is state.h's business.
 *
 * The protocol. The new program is started with the arguments and the environment of the old one
 * and one variable besides, SUPERD_UPGRADE, which is
 *
 * "try STATE PIPE": a child of the old one. It reads the state from descriptor STATE, loads the
 * configuration, writes "superd VERSION state N" and a newline to descriptor PIPE, where N is the
 * version of the state that it takes, and exits with 0; or writes why it cannot, and exits with
 * something else.
 *
 * "take STATE OLD": the process itself. It takes over; where it cannot, it executes the program on
 * descriptor OLD (fexecve(3)) with the same arguments and "back".
 *
 * "back STATE WHY...": the old program again, because of WHY. It goes on from its own state.
 *
 * Descriptors that the state names are open in "take" and "back".
 */
#ifndef SUPERD_UPGRADE_H
#define SUPERD_UPGRADE_H

#include "superd/error.h"
#include "superd/loop.h"
#include "superd/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define UPGRADE_TEXT_SIZE 400

/* --- the old program ------------------------------------------------------------------------ */

/* The trial of a new program. All zero before the first one. */
struct upgrade_trial {
	struct loop *loop;
	const char *exe;
	void (*done_cb)(void *owner, const struct error *problem);
	void *owner;
	pid_t pid; /* 0: none under way */
	bool late; /* killed, its time was over */
	struct loop_watch pipe;
	struct loop_timer deadline;
	size_t used;
	char text[4096]; /* what it said */
};

/*
 * Starts exe with arguments argv as a trial over the state in state_fd, which stays the caller's.
 * done_cb is called later, from a turn of the loop: problem is NULL where the program can take
 * over, otherwise it says why not. One at a time. Returns 0, or -1 with *error.
 */
int upgrade_try(struct upgrade_trial *trial, struct loop *loop, const char *exe, char *const *argv,
	int state_fd, void (*done_cb)(void *owner, const struct error *problem), void *owner,
	struct error *error);

/* pid has been reaped with status: if it was the trial, that is over and true is returned. */
bool upgrade_trial_reaped(struct upgrade_trial *trial, pid_t pid, int status);

/* Kills a trial that is under way; its done_cb is not called. */
void upgrade_trial_cancel(struct upgrade_trial *trial);

/*
 * Becomes exe: everything that state names stays open, everything else that is close-on-exec goes.
 * Returns only where that failed: -1 with *error and everything as it was.
 */
int upgrade_take(
	const struct state *state, const char *exe, char *const *argv, struct error *error);

/* --- the new program ------------------------------------------------------------------------ */

enum upgrade_role {
	UPGRADE_NONE, /* an ordinary start */
	UPGRADE_TRY,
	UPGRADE_TAKE,
	UPGRADE_BACK,
};

struct upgrade_arrival {
	enum upgrade_role role;
	int state_fd;
	int fd; /* UPGRADE_TRY: where to answer; UPGRADE_TAKE: the old program; otherwise -1 */
	struct state state;
	char why[UPGRADE_TEXT_SIZE]; /* UPGRADE_BACK: the reason */
};

/*
 * Finds out how this program was started and reads the state; removes the variable. Call it before
 * anything else touches a descriptor. Returns 0, or -1 with *error where there is a state that
 * cannot be used; role is set in both cases.
 */
int upgrade_arrive(struct upgrade_arrival *arrival, struct error *error);

/* UPGRADE_TRY: says that this program can take over. Returns 0, or -1 (nobody listens). */
int upgrade_answer(const struct upgrade_arrival *arrival);

/*
 * UPGRADE_TAKE: becomes the old program again, because of why. Returns only where that failed or
 * there is no way back: -1 with *error.
 */
int upgrade_go_back(const struct upgrade_arrival *arrival, char *const *argv, const char *why,
	struct error *error);

/* The old program is not needed any more; frees what arrival has. */
void upgrade_settle(struct upgrade_arrival *arrival);

#endif
