/*
 * spawn_vm: clone with shared memory and shared descriptor table, superd not suspended.
 *
 * Neither page tables nor the descriptor table are copied, whatever superd holds; the kernel
 * clears the slot's word when the child has left the shared memory (clone(2),
 * CLONE_CHILD_CLEARTID). What the child may touch meanwhile stands in spawn_child.c.
 */
#include "config.h"
#include "superd/spawn_backend.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define VM_STACK_BYTES (32 * 1024) /* at least; the child's own frames need a quarter */

/* The stack in whole pages, and one more below it. */
static size_t vm_stack_bytes(size_t page)
{
	return (VM_STACK_BYTES + page - 1) / page * page + page;
}

/* The stack grows down to a guard page that faults instead of running into another slot's. */
static int vm_slot_init(struct spawn_slot *slot, struct error *error)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = vm_stack_bytes(page);
	char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (base == MAP_FAILED)
		return error_set(error, errno, "stack of a spawn slot");
	if (mprotect(base, page, PROT_NONE) != 0) {
		error_set(error, errno, "guard page of a spawn slot");
		munmap(base, bytes);
		return -1;
	}
	slot->stack = base + bytes;
	return 0;
}

static void vm_slot_free(struct spawn_slot *slot)
{
	size_t bytes = vm_stack_bytes((size_t)sysconf(_SC_PAGESIZE));

	if (slot->stack != NULL)
		munmap(slot->stack - bytes, bytes);
	slot->stack = NULL;
}

static int vm_child(void *argument)
{
	spawn_child(argument, true);
}

/* Kernels before 5.9 have no close_range(2): the clone copies the table instead. */
static int vm_child_copied(void *argument)
{
	spawn_child(argument, false);
}

static pid_t vm_start(struct spawn_slot *slot)
{
	int flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD;
	pid_t pid;

	__atomic_store_n(&slot->word, 1, __ATOMIC_SEQ_CST);
	if (slot->inherit->close_range)
		pid = clone(
			vm_child, slot->stack, flags | CLONE_FILES, slot, NULL, NULL, &slot->word);
	else
		pid = clone(vm_child_copied, slot->stack, flags, slot, NULL, NULL, &slot->word);
	if (pid < 0)
		__atomic_store_n(&slot->word, 0, __ATOMIC_SEQ_CST);
	return pid;
}

const struct spawn_backend *spawn_vm_backend(void)
{
	static const struct spawn_backend backend = {
		.kind = SPAWN_VM,
		.slot_init = vm_slot_init,
		.slot_free = vm_slot_free,
		.start = vm_start,
	};

	return &backend;
}
