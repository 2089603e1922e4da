/*
 * spawn: a new process up to its exec, from a complete request to an answer; no reach into
 * superd's state, no names looked up, nothing logged.
 *
 * Two implementations stand behind this header. "vm" clones with shared memory and a shared
 * descriptor table and does not suspend superd: the child runs on a slot's stack, on data that
 * the slot keeps alive and unchanged, until the kernel clears the slot's word (exec or exit).
 * "fork" copies. Both walk the same steps (spawn_child.c).
 */
#ifndef SUPERD_SPAWN_H
#define SUPERD_SPAWN_H

#include "superd/childenv.h"
#include "superd/conf.h"
#include "superd/error.h"
#include "superd/step.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define SPAWN_SLOTS 64                      /* starts under way at once, all services together */
#define SPAWN_OWNER_SLOTS (SPAWN_SLOTS / 4) /* of these, for one owner */

enum spawn_kind { SPAWN_AUTO, SPAWN_VM, SPAWN_FORK };

/* "vm", "fork". */
const char *spawn_kind_name(enum spawn_kind kind);

/* What is asked for. Everything it points at stays unchanged until the slot is free again. */
struct spawn_request {
	const struct conf_service *conf; /* program, identity, limits */
	bool listening; /* fds are a wait program's own: all of them go to 3 and up besides */
	size_t fd_count;
	int *fds;      /* fds[0] goes to 0 and 1; the caller's scratch, which the child rewrites */
	int stderr_fd; /* goes to 2; -1: fds[0] does */
	struct step_failure *failure;
};

/* How superd itself is, measured once: what a child has without asking. */
struct spawn_inherit {
	struct rlimit open_files; /* what superd was started with */
	bool open_files_raised;   /* superd has raised its own since */
	bool close_range;         /* the kernel has close_range(2), Linux 5.9 */
	int nice;
	mode_t umask;
	struct {
		bool known; /* real, effective and saved ids are the same */
		uid_t uid;
		gid_t gid;
		bool groups;  /* it has supplementary groups */
		bool ambient; /* it has capabilities that an exec would keep */
	} identity;
};

/* One start under way. */
struct spawn_slot {
	int32_t word; /* not 0 while the child shares superd's memory; cleared by the kernel */
	bool killed;  /* it was stuck and got SIGKILL */
	pid_t pid;
	int fd;       /* room for the one descriptor of a connection */
	int close_fd; /* superd's copy of the connection, closed when the slot is free; -1 none */
	bool told;    /* left_cb was called for it */
	int64_t started_ns;
	void *owner; /* whose quota it counts against */
	const struct spawn_inherit *inherit;
	struct spawn_request request;
	struct childenv env;
	char *stack; /* top of the child's stack; NULL with fork */
};

struct spawn;

/*
 * Makes a pool of SPAWN_SLOTS. SPAWN_AUTO is vm where it is built, where fs.suid_dumpable is
 * not 1 (an identity dropped in shared memory could be traced) and where no sanitizer or
 * valgrind watches; otherwise fork. open_files is RLIMIT_NOFILE as superd was started with. *note
 * is a text worth a log line, or NULL. Returns 0, or -1
 * with *error.
 */
int spawn_new(enum spawn_kind kind, const struct rlimit *open_files, struct spawn **spawn,
	const char **note, struct error *error);

/* Frees the pool; no start may be under way with vm (superd is about to exit anyway). */
void spawn_free(struct spawn *spawn);

enum spawn_kind spawn_kind(const struct spawn *spawn);

/*
 * From now on left_cb is called once for each start that went well, when its child was seen to
 * have left superd's memory by its exec, took_ns after started_ns. With fork that is never seen:
 * the child leaves the time in its failure record.
 */
void spawn_set_left_cb(struct spawn *spawn,
	void (*left_cb)(void *pool_owner, void *owner, int64_t took_ns), void *pool_owner);

/* A free slot for owner, to be given to spawn_start() or back with spawn_slot_cancel(); NULL
   where the pool or the owner's quarter of it is used up. */
struct spawn_slot *spawn_slot_take(struct spawn *spawn, void *owner);

/* Gives an unused slot back. */
void spawn_slot_cancel(struct spawn *spawn, struct spawn_slot *slot);

/*
 * Starts the program. slot->env and slot->request are filled by the caller, and slot->close_fd
 * is the connection that superd closes once the child has its own. All signals must be blocked
 * in the caller (superd's always are). Returns the pid, or -1 with errno (EAGAIN, ENOMEM); the
 * slot is then free again and close_fd still open.
 */
pid_t spawn_start(struct spawn *spawn, struct spawn_slot *slot, int64_t now_ns);

/* Starts under way. */
size_t spawn_busy(const struct spawn *spawn);

/*
 * Frees every slot whose child has left superd's memory and closes superd's copy of its
 * connection. stuck_cb is called once for each child that has been at it for 5 s and has just
 * been sent SIGKILL. Returns the number of slots freed.
 */
size_t spawn_collect(struct spawn *spawn, int64_t now_ns,
	void (*stuck_cb)(void *pool_owner, void *owner, pid_t pid), void *pool_owner);

/* Whether a start for owner that is under way uses listening sockets of superd's. */
bool spawn_uses_sockets(const struct spawn *spawn, const void *owner);

/* Whether a start that is under way belongs to owner. */
bool spawn_uses_owner(const struct spawn *spawn, const void *owner);

/* Whether a start that is under way uses one of count services that lie in a row. */
bool spawn_uses_conf(const struct spawn *spawn, const struct conf_service *services, size_t count);

/* pid has been reaped: its slot, if it still has one, is free at the next collect; to be called
   while what owns it still exists. */
void spawn_reaped(struct spawn *spawn, pid_t pid);

#endif
