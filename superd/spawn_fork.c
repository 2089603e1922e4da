/*
 * spawn_fork: the portable implementation. The child has a copy of everything, so its slot is
 * free as soon as fork(2) has returned.
 */
#include "config.h"
#include "superd/spawn_backend.h"

#include <unistd.h>

static int fork_slot_init(struct spawn_slot *slot, struct error *error)
{
	(void)error;
	slot->stack = NULL;
	return 0;
}

static void fork_slot_free(struct spawn_slot *slot)
{
	(void)slot;
}

static pid_t fork_start(struct spawn_slot *slot)
{
	pid_t pid = fork();

	if (pid == 0)
		spawn_child(slot, false);
	return pid;
}

const struct spawn_backend *spawn_fork_backend(void)
{
	static const struct spawn_backend backend = {
		.kind = SPAWN_FORK,
		.slot_init = fork_slot_init,
		.slot_free = fork_slot_free,
		.start = fork_start,
	};

	return &backend;
}
