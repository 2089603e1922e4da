/*
 * spawn_child: the new process, from its birth to exec.
 *
 * With the vm implementation this code shares superd's memory while superd goes on: raw system
 * calls only, on data prepared before the clone; no malloc, no stdio, nothing that touches
 * errno, locks or thread-local state, and no look-up of a name. The one string made here is
 * LISTEN_PID's number, into room kept for it.
 */
#include "config.h"
#include "superd/spawn_backend.h"

#include "superd/spawn_raw.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define CHILD_CLOSE_RANGE_UNSHARE 2U  /* linux/close_range.h */
#define CHILD_DRAIN_BYTES (64 * 1024) /* of an orderly close */
#define CHILD_LISTEN_FIRST 3          /* sd_listen_fds(3): SD_LISTEN_FDS_START */

/* The kernel's struct sigaction; superd sets only SIG_DFL. */
struct child_sigaction {
	unsigned long handler;
	unsigned long flags;
	unsigned long restorer;
	uint64_t mask;
};

/*
 * Reports the failed step and ends. The client gets an orderly close: end of file, and no reset
 * for what it has already sent. fd is where the connection is now (-1: none).
 */
static _Noreturn void child_fail(const struct spawn_slot *slot, enum step step, long result, int fd)
{
	char drain[4096];
	long got = 1;
	size_t total = 0;

	slot->request.failure->code = (int32_t)-result;
	slot->request.failure->step = (int32_t)step;
	if (!slot->request.listening && fd >= 0) {
		raw_call(SYS_shutdown, fd, SHUT_WR, 0, 0, 0);
		while (got > 0 && total < CHILD_DRAIN_BYTES) {
			got = raw_call(SYS_recvfrom, fd, raw_pointer(drain), sizeof(drain),
				MSG_DONTWAIT, 0);
			total += got > 0 ? (size_t)got : 0;
		}
	}
	for (;;)
		raw_call(SYS_exit_group, 127, 0, 0, 0, 0);
}

static int child_highest_fd(const struct spawn_request *request)
{
	int highest = request->stderr_fd > 2 ? request->stderr_fd : 2;

	for (size_t i = 0; i < request->fd_count; i++) {
		if (request->fds[i] > highest)
			highest = request->fds[i];
	}
	return highest;
}

/*
 * Puts a wait program's sockets on 3 and up. A source that lies where another is to go is moved
 * out of the way first, so the order does not matter.
 */
static long child_place_listeners(const struct spawn_request *request)
{
	long end = CHILD_LISTEN_FIRST + (long)request->fd_count;
	long result;

	for (size_t i = 0; i < request->fd_count; i++) {
		if (request->fds[i] >= end)
			continue;
		/* Targets may cover other sources: all sources go above the last target. */
		result = raw_call(SYS_fcntl, request->fds[i], F_DUPFD_CLOEXEC, end, 0, 0);
		if (result < 0)
			return result;
		request->fds[i] = (int)result;
	}
	for (size_t i = 0; i < request->fd_count; i++) {
		result = raw_call(SYS_dup3, request->fds[i], CHILD_LISTEN_FIRST + (long)i, 0, 0, 0);
		if (result < 0)
			return result;
	}
	return 0;
}

/* Descriptors 0, 1, 2 and a wait program's sockets; all others are closed. */
static void child_descriptors(const struct spawn_slot *slot)
{
	const struct spawn_request *request = &slot->request;
	int error_fd = request->stderr_fd >= 0 ? request->stderr_fd : request->fds[0];
	long first_closed = CHILD_LISTEN_FIRST;
	long result;

	result = raw_call(SYS_dup3, error_fd, 2, 0, 0, 0);
	for (int fd = 0; result >= 0 && fd < 2; fd++)
		result = raw_call(SYS_dup3, request->fds[0], fd, 0, 0, 0);
	if (result < 0)
		child_fail(slot, STEP_DUP, result, request->fds[0]);
	if (request->listening) {
		result = child_place_listeners(request);
		if (result < 0)
			child_fail(slot, STEP_DUP, result, -1);
		first_closed += (long)request->fd_count;
	}
	/* Before the first step that can block: this table may hold other clients' sockets. On
	   kernels before 5.9 there is no such call, and all of them are close-on-exec. */
	result = raw_call(SYS_close_range, first_closed, ~0U, 0, 0, 0);
	if (result < 0 && result != -ENOSYS)
		child_fail(slot, STEP_CLOSE_RANGE, result, 0);
}

/* The limit superd was started with, before it raised its own; where the hard one has been lowered
   since (prlimit) and may not be raised again, as much of it as there still is. */
static long child_open_files(const struct rlimit *started)
{
	struct rlimit now;
	long result = raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, raw_pointer(started), 0, 0);

	if (result != -EPERM)
		return result;
	result = raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, raw_pointer(&now), 0);
	if (result < 0)
		return result;
	now.rlim_cur = started->rlim_cur < now.rlim_max ? started->rlim_cur : now.rlim_max;
	return raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, raw_pointer(&now), 0, 0);
}

/* What the configuration asks for, where superd itself is not already that way. */
static void child_limits(const struct spawn_slot *slot)
{
	const struct spawn_inherit *inherit = slot->inherit;
	const struct conf_service *conf = slot->request.conf;
	const struct conf_limits *limits = &conf->limits;
	long result = 0;

	if (inherit->open_files_raised)
		result = child_open_files(&inherit->open_files);
	for (size_t i = 0; result >= 0 && i < limits->rlimit_count; i++) {
		struct rlimit value = {limits->rlimits[i].value, limits->rlimits[i].value};

		result = raw_call(
			SYS_prlimit64, 0, limits->rlimits[i].resource, raw_pointer(&value), 0, 0);
	}
	if (result < 0)
		child_fail(slot, STEP_LIMIT, result, 0);
	if (conf->nice != inherit->nice) {
		result = raw_call(SYS_setpriority, PRIO_PROCESS, 0, conf->nice, 0, 0);
		if (result < 0)
			child_fail(slot, STEP_NICE, result, 0);
	}
	if (conf->umask != inherit->umask)
		raw_call(SYS_umask, (long)conf->umask, 0, 0, 0, 0);
}

/* Root directory, groups, group, user: each while the one before still allows it, and only
   where superd itself is not already that way. */
static void child_identity(const struct spawn_slot *slot)
{
	const struct conf_service *conf = slot->request.conf;
	const struct creds *creds = &conf->creds;
	const struct spawn_inherit *inherit = slot->inherit;
	bool same = inherit->identity.known && creds->uid == inherit->identity.uid &&
		    creds->gid == inherit->identity.gid;
	long result = 0;

	if (conf->root != NULL) {
		result = raw_call(SYS_chroot, raw_pointer(conf->root), 0, 0, 0, 0);
		if (result >= 0)
			result = raw_call(SYS_chdir, raw_pointer("/"), 0, 0, 0, 0);
		if (result < 0)
			child_fail(slot, STEP_ROOT, result, 0);
	}
	if (creds->change && (creds->group_count > 0 || inherit->identity.groups)) {
		result = raw_call(SYS_setgroups, (long)creds->group_count,
			raw_pointer(creds->groups), 0, 0, 0);
		if (result < 0)
			child_fail(slot, STEP_GROUPS, result, 0);
	}
	if (creds->change && !same) {
		result = raw_call(SYS_setresgid, creds->gid, creds->gid, creds->gid, 0, 0);
		if (result < 0)
			child_fail(slot, STEP_GROUP, result, 0);
		result = raw_call(SYS_setresuid, creds->uid, creds->uid, creds->uid, 0, 0);
		if (result < 0)
			child_fail(slot, STEP_USER, result, 0);
	}
	if (inherit->identity.ambient) {
		result = raw_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
		if (result < 0)
			child_fail(slot, STEP_CAPABILITIES, result, 0);
	}
	if (conf->no_new_privileges) {
		result = raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (result < 0)
			child_fail(slot, STEP_NO_NEW_PRIVILEGES, result, 0);
	}
}

/* superd itself stands in "/", and a chroot has gone to its own. */
static void child_directory(const struct spawn_slot *slot)
{
	const char *directory = slot->request.conf->directory;
	long result;

	if (directory[0] == '/' && directory[1] == '\0')
		return;
	result = raw_call(SYS_chdir, raw_pointer(directory), 0, 0, 0, 0);
	if (result < 0)
		child_fail(slot, STEP_DIRECTORY, result, 0);
}

/* superd ignores SIGPIPE, blocks everything and leaves all other dispositions at default. */
static void child_signals(const struct spawn_slot *slot)
{
	struct child_sigaction action = {0};
	uint64_t empty = 0;
	long result;

	result = raw_call(SYS_rt_sigaction, SIGPIPE, raw_pointer(&action), 0, sizeof(empty), 0);
	if (result >= 0)
		result = raw_call(
			SYS_rt_sigprocmask, SIG_SETMASK, raw_pointer(&empty), 0, sizeof(empty), 0);
	if (result < 0)
		child_fail(slot, STEP_SIGNALS, result, 0);
}

/* superd sees that the child's memory is its own only of one that has shared it. */
static void child_ready(const struct spawn_slot *slot)
{
	struct timespec now = {0};

	raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, raw_pointer(&now), 0, 0, 0);
	slot->request.failure->ready_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

_Noreturn void spawn_child(const struct spawn_slot *slot, bool shared_files)
{
	const struct spawn_request *request = &slot->request;
	const struct conf_service *conf = request->conf;
	long result;

	if (shared_files) {
		result = raw_call(SYS_close_range, child_highest_fd(request) + 1, ~0U,
			CHILD_CLOSE_RANGE_UNSHARE, 0, 0);
		if (result < 0) /* the table is still superd's: touch nothing in it */
			child_fail(slot, STEP_CLOSE_RANGE, result, request->fds[0]);
	}
	child_descriptors(slot);
	result = raw_call(SYS_setsid, 0, 0, 0, 0, 0);
	if (result < 0)
		child_fail(slot, STEP_SETSID, result, 0);
	childenv_set_pid(&slot->env, (pid_t)result);
	child_limits(slot);
	child_identity(slot);
	child_directory(slot);
	child_signals(slot);
	if (!shared_files)
		child_ready(slot);
	result = raw_call(SYS_execve, raw_pointer(conf->path), raw_pointer(conf->argv),
		raw_pointer(slot->env.vector), 0, 0);
	child_fail(slot, STEP_EXEC, result, 0);
}
