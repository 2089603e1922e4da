/*
 * spawn: the pool of slots and the choice of the implementation.
 */
#include "config.h"
#include "superd/spawn.h"

#include "superd/clock.h"
#include "superd/spawn_backend.h"
#include "superd/spawn_raw.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPAWN_STUCK_NS (5 * CLOCK_NS_PER_S)

struct spawn {
	const struct spawn_backend *backend;
	struct spawn_inherit inherit;
	void (*left_cb)(void *pool_owner, void *owner, int64_t took_ns);
	void *left_owner;
	uint64_t taken; /* a bit for each slot: most are free, and only the others are looked at */
	struct spawn_slot slots[SPAWN_SLOTS];
};

_Static_assert(SPAWN_SLOTS == 64, "a word has a bit for each slot");

const char *spawn_kind_name(enum spawn_kind kind)
{
	static const char *const names[] = {"auto", "vm", "fork"};

	return names[kind];
}

/* fs.suid_dumpable (proc(5)); 0 where it cannot be read. */
static int spawn_suid_dumpable(void)
{
	FILE *file = fopen("/proc/sys/fs/suid_dumpable", "re");
	int value = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* valgrind serialises threads of one memory and does not know this use of clone(2). */
static bool spawn_is_watched(void)
{
#ifdef SUPERD_SANITIZERS
	return true;
#else
	const char *preload = getenv("LD_PRELOAD");

	return preload != NULL && strstr(preload, "vgpreload") != NULL;
#endif
}

static const struct spawn_backend *spawn_choose(enum spawn_kind kind, const char **note)
{
	*note = NULL;
	if (kind == SPAWN_FORK)
		return spawn_fork_backend();
	if (spawn_vm_backend() == NULL) {
		if (kind == SPAWN_VM)
			*note = "this build has no vm implementation: programs are started by fork";
		return spawn_fork_backend();
	}
	if (spawn_suid_dumpable() == 1) {
		*note = "fs.suid_dumpable is 1: programs are started by fork, which is slower";
		return spawn_fork_backend();
	}
	if (kind == SPAWN_AUTO && spawn_is_watched())
		return spawn_fork_backend();
	return spawn_vm_backend();
}

/* What a service manager gave superd to bind low ports with (capabilities(7)). */
static bool spawn_has_ambient(void)
{
	int is_set = 0;

	for (unsigned long number = 0; is_set == 0; number++)
		is_set = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, number, 0, 0);
	return is_set > 0; /* -1: there are no more */
}

static void spawn_measure_identity(struct spawn_inherit *inherit)
{
	uid_t uids[3];
	gid_t gids[3];

	inherit->identity.known = getresuid(&uids[0], &uids[1], &uids[2]) == 0 &&
				  getresgid(&gids[0], &gids[1], &gids[2]) == 0 &&
				  uids[0] == uids[1] && uids[1] == uids[2] && gids[0] == gids[1] &&
				  gids[1] == gids[2];
	inherit->identity.uid = uids[0];
	inherit->identity.gid = gids[0];
	inherit->identity.groups = getgroups(0, NULL) != 0;
	inherit->identity.ambient = spawn_has_ambient();
}

static void spawn_measure(struct spawn_inherit *inherit, const struct rlimit *open_files)
{
	struct rlimit now;

	inherit->open_files = *open_files;
	inherit->open_files_raised =
		getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur != open_files->rlim_cur;
	inherit->close_range = raw_call(SYS_close_range, ~0U, ~0U, 0, 0, 0) != -ENOSYS;
	errno = 0;
	inherit->nice = getpriority(PRIO_PROCESS, 0);
	inherit->umask = umask(0);
	umask(inherit->umask);
	spawn_measure_identity(inherit);
}

int spawn_new(enum spawn_kind kind, const struct rlimit *open_files, struct spawn **spawn,
	const char **note, struct error *error)
{
	struct spawn *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return error_set(error, errno, "spawn pool");
	made->backend = spawn_choose(kind, note);
	spawn_measure(&made->inherit, open_files);
	for (size_t i = 0; i < SPAWN_SLOTS; i++) {
		made->slots[i].inherit = &made->inherit;
		if (made->backend->slot_init(&made->slots[i], error) != 0) {
			spawn_free(made);
			return -1;
		}
	}
	*spawn = made;
	return 0;
}

void spawn_free(struct spawn *spawn)
{
	if (spawn == NULL)
		return;
	for (size_t i = 0; i < SPAWN_SLOTS; i++) {
		childenv_free(&spawn->slots[i].env);
		spawn->backend->slot_free(&spawn->slots[i]);
	}
	free(spawn);
}

enum spawn_kind spawn_kind(const struct spawn *spawn)
{
	return spawn->backend->kind;
}

void spawn_set_left_cb(struct spawn *spawn,
	void (*left_cb)(void *pool_owner, void *owner, int64_t took_ns), void *pool_owner)
{
	spawn->left_cb = left_cb;
	spawn->left_owner = pool_owner;
}

/* The slot's child has left, by its exec or its end. */
static void spawn_tell(struct spawn *spawn, struct spawn_slot *slot)
{
	if (slot->told)
		return;
	slot->told = true;
	if (spawn->left_cb != NULL && spawn->backend->kind == SPAWN_VM && !slot->killed &&
		slot->request.failure->step == STEP_OK)
		spawn->left_cb(spawn->left_owner, slot->owner, clock_now_ns() - slot->started_ns);
}

/* The first slot of *left, which loses it; *left is not 0. */
static size_t spawn_next(uint64_t *left)
{
	size_t index = (size_t)__builtin_ctzll(*left);

	*left &= *left - 1;
	return index;
}

struct spawn_slot *spawn_slot_take(struct spawn *spawn, void *owner)
{
	uint64_t left = spawn->taken;
	struct spawn_slot *slot;
	size_t owned = 0;
	size_t index;

	while (left != 0)
		owned += spawn->slots[spawn_next(&left)].owner == owner;
	left = ~spawn->taken;
	if (left == 0 || owned >= SPAWN_OWNER_SLOTS)
		return NULL;
	index = spawn_next(&left);
	spawn->taken |= UINT64_C(1) << index;
	slot = &spawn->slots[index];
	slot->killed = false;
	slot->told = false;
	slot->pid = 0;
	slot->close_fd = -1;
	slot->owner = owner;
	return slot;
}

void spawn_slot_cancel(struct spawn *spawn, struct spawn_slot *slot)
{
	spawn->taken &= ~(UINT64_C(1) << (slot - spawn->slots));
}

pid_t spawn_start(struct spawn *spawn, struct spawn_slot *slot, int64_t now_ns)
{
	pid_t pid;
	int saved;

	slot->started_ns = now_ns;
	slot->request.failure->step = STEP_OK;
	slot->request.failure->code = 0;
	slot->request.failure->ready_ns = 0;
	pid = spawn->backend->start(slot);
	if (pid < 0) {
		saved = errno;
		spawn_slot_cancel(spawn, slot);
		errno = saved;
	} else {
		slot->pid = pid;
	}
	return pid;
}

size_t spawn_busy(const struct spawn *spawn)
{
	return (size_t)__builtin_popcountll(spawn->taken);
}

size_t spawn_collect(struct spawn *spawn, int64_t now_ns,
	void (*stuck_cb)(void *pool_owner, void *owner, pid_t pid), void *pool_owner)
{
	uint64_t left = spawn->taken;
	size_t freed = 0;

	while (left != 0) {
		struct spawn_slot *slot = &spawn->slots[spawn_next(&left)];

		if (__atomic_load_n(&slot->word, __ATOMIC_ACQUIRE) == 0) {
			if (slot->close_fd >= 0)
				close(slot->close_fd);
			spawn_tell(spawn, slot);
			spawn_slot_cancel(spawn, slot);
			freed++;
		} else if (!slot->killed && now_ns - slot->started_ns > SPAWN_STUCK_NS) {
			slot->killed = true;
			kill(slot->pid, SIGKILL);
			stuck_cb(pool_owner, slot->owner, slot->pid);
		}
	}
	return freed;
}

void spawn_reaped(struct spawn *spawn, pid_t pid)
{
	uint64_t left = spawn->taken;

	while (left != 0) {
		struct spawn_slot *slot = &spawn->slots[spawn_next(&left)];

		if (slot->pid != pid)
			continue;
		__atomic_store_n(&slot->word, 0, __ATOMIC_RELEASE);
		spawn_tell(spawn, slot);
	}
}

bool spawn_uses_owner(const struct spawn *spawn, const void *owner)
{
	uint64_t left = spawn->taken;

	while (left != 0) {
		if (spawn->slots[spawn_next(&left)].owner == owner)
			return true;
	}
	return false;
}

bool spawn_uses_sockets(const struct spawn *spawn, const void *owner)
{
	uint64_t left = spawn->taken;

	while (left != 0) {
		const struct spawn_slot *slot = &spawn->slots[spawn_next(&left)];

		if (slot->owner == owner && slot->request.listening)
			return true;
	}
	return false;
}

bool spawn_uses_conf(const struct spawn *spawn, const struct conf_service *services, size_t count)
{
	uint64_t left = spawn->taken;

	while (left != 0) {
		const struct spawn_slot *slot = &spawn->slots[spawn_next(&left)];

		if (slot->request.conf >= services && slot->request.conf < services + count)
			return true;
	}
	return false;
}
