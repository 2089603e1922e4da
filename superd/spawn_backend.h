/*
 * spawn_backend: what spawn.c asks of an implementation, and what the child does in both.
 */
#ifndef SUPERD_SPAWN_BACKEND_H
#define SUPERD_SPAWN_BACKEND_H

#include "superd/spawn.h"

struct spawn_backend {
	enum spawn_kind kind;
	/* Allocates what a slot needs of its own. Returns 0, or -1 with *error. */
	int (*slot_init)(struct spawn_slot *slot, struct error *error);
	void (*slot_free)(struct spawn_slot *slot);
	/* Starts the child of slot; the pid, or -1 with errno. */
	pid_t (*start)(struct spawn_slot *slot);
};

/* Clone with shared memory (clone(2)); NULL where this build has none. */
const struct spawn_backend *spawn_vm_backend(void);

/* fork(2). */
const struct spawn_backend *spawn_fork_backend(void);

/*
 * The child's way from birth to exec; never returns. shared_files: the descriptor table is
 * still superd's, so the first step is to leave it.
 */
_Noreturn void spawn_child(const struct spawn_slot *slot, bool shared_files);

#endif
