/*
 * spawn_vm_none: this machine has no shared-memory implementation; configure chose this file.
 */
#include "config.h"
#include "superd/spawn_backend.h"

const struct spawn_backend *spawn_vm_backend(void)
{
	return NULL;
}
