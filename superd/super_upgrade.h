/*
 * super_upgrade: the upgrade in place as a part of super: what is handed over and taken over.
 */
#ifndef SUPERD_SUPER_UPGRADE_H
#define SUPERD_SUPER_UPGRADE_H

#include "superd/upgrade.h"

#include <sys/resource.h>

struct control_request;
struct super;

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
	int (*done_cb)(void *owner, const char *problem);
	void *owner;
};

/*
 * Upgrades in place. done_cb (NULL: none) is called once, perhaps at once: problem says why nothing
 * came of it; where it is NULL the new program takes over now, and the connection that done_cb
 * returns (-1: none) is told by the one that serves in the end. What happens is in the log too.
 */
void super_upgrade(
	struct super *super, int (*done_cb)(void *owner, const char *problem), void *owner);

/* The verb upgrade. */
void super_answer_upgrade(struct super *super, struct control_request *request);

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

/* RLIMIT_NOFILE as the first superd was started with. */
void super_restore_limit(struct rlimit *open_files, const struct state *state);

/*
 * The rest, once the listeners are open: the control socket moves to where it belongs, what nobody
 * took is closed and its names are removed. From here on there is no way back. Returns 0, or the
 * exit status with *error and the way back still open.
 */
int super_restore_end(struct super *super, struct error *error);

/* Frees what services had that are only there for their last programs; after the services. */
void super_orphans_free(struct super *super);

#endif
