/*
 * fault: a library to preload (LD_PRELOAD) whose calls fail when a test says so.
 *
 * A board in a file that test and daemon map (SUPERD_FAULT_BOARD) holds rules: which call fails
 * with which errno, for whom, after how many good ones, how often. The test writes rules while the
 * daemon runs and reads back how often each was met. What superd calls past libc (the child before
 * its exec) is not seen here; strace(1) injects there.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FAULT_RULES 8
#define FAULT_NS_PER_S INT64_C(1000000000)

enum fault_who { FAULT_ANY, FAULT_DAEMON, FAULT_LOADER };

/* The layout is the test's as well (tests/system/faults.py). */
struct fault_rule {
	int32_t active; /* set last, cleared first */
	int32_t code;
	int32_t who;
	int32_t unused;
	uint64_t skip;   /* so many go well first */
	uint64_t count;  /* then so many fail */
	uint64_t seen;   /* calls that the rule was asked for */
	uint64_t failed; /* of these */
	char call[32];
	char object[96]; /* a part of the path, or the port; empty: any */
};

struct fault_board {
	int64_t wall_offset_ns;  /* added to the wall clock */
	uint64_t open_files_max; /* not 0: what getrlimit(RLIMIT_NOFILE) says */
	struct fault_rule rules[FAULT_RULES];
};

static struct fault_board *board;
static pid_t daemon_pid;
static bool is_spared;

__attribute__((constructor)) static void fault_start(void)
{
	const char *path = getenv("SUPERD_FAULT_BOARD");
	void *mapped;
	int fd;

	daemon_pid = getpid();
	if (path == NULL)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	mapped = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped != MAP_FAILED)
		board = mapped;
}

static bool fault_applies(const struct fault_rule *rule, const char *call, const char *object)
{
	if (rule->active == 0 || strcmp(rule->call, call) != 0)
		return false;
	if (rule->who != FAULT_ANY && (rule->who == FAULT_DAEMON) != (getpid() == daemon_pid))
		return false;
	return rule->object[0] == '\0' || (object != NULL && strstr(object, rule->object) != NULL);
}

void fault_spare(bool spared);

/* For tests/coverage.c: no call fails meanwhile. */
void fault_spare(bool spared)
{
	is_spared = spared;
}

/* Whether this call is to fail; errno is set then. */
static bool fault_hits(const char *call, const char *object)
{
	for (size_t i = 0; board != NULL && !is_spared && i < FAULT_RULES; i++) {
		struct fault_rule *rule = &board->rules[i];
		uint64_t number;

		if (!fault_applies(rule, call, object))
			continue;
		number = __atomic_fetch_add(&rule->seen, 1, __ATOMIC_RELAXED);
		if (number < rule->skip || number - rule->skip >= rule->count)
			continue;
		__atomic_fetch_add(&rule->failed, 1, __ATOMIC_RELAXED);
		errno = rule->code;
		return true;
	}
	return false;
}

static void *fault_next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* --- descriptors ------------------------------------------------------------------------------ */

int open(const char *path, int flags, ...)
{
	unsigned mode = 0;
	va_list arguments;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_start(arguments, flags);
		mode = va_arg(arguments, unsigned);
		va_end(arguments);
	}
	if (fault_hits("open", path))
		return -1;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	return fault_hits("read", NULL) ? -1 : syscall(SYS_read, fd, buffer, size);
}

ssize_t write(int fd, const void *buffer, size_t size)
{
	return fault_hits("write", NULL) ? -1 : syscall(SYS_write, fd, buffer, size);
}

int pipe2(int ends[2], int flags)
{
	return fault_hits("pipe2", NULL) ? -1 : (int)syscall(SYS_pipe2, ends, flags);
}

int epoll_create1(int flags)
{
	return fault_hits("epoll_create1", NULL) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	return fault_hits("epoll_ctl", NULL) ? -1
					     : (int)syscall(SYS_epoll_ctl, epoll_fd, op, fd, event);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
	int (*real)(int, const sigset_t *, int) =
		(int (*)(int, const sigset_t *, int))fault_next("signalfd");

	return fault_hits("signalfd", NULL) ? -1 : real(fd, mask, flags);
}

/* --- sockets ---------------------------------------------------------------------------------- */

/* The port that the socket is bound to, as text. */
static const char *fault_port(int fd, char text[16])
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);
	unsigned port = 0;

	if (syscall(SYS_getsockname, fd, &address, &length) == 0) {
		if (address.ss_family == AF_INET)
			port = ntohs(((struct sockaddr_in *)&address)->sin_port);
		else if (address.ss_family == AF_INET6)
			port = ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	}
	snprintf(text, 16, "%u", port);
	return text;
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	char port[16];

	if (board != NULL && fault_hits("accept4", fault_port(fd, port)))
		return -1;
	return (int)syscall(SYS_accept4, fd, address, length, flags);
}

int socket(int family, int type, int protocol)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", family);
	return fault_hits("socket", text) ? -1 : (int)syscall(SYS_socket, family, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	return fault_hits("bind", NULL) ? -1 : (int)syscall(SYS_bind, fd, address, length);
}

int listen(int fd, int backlog)
{
	return fault_hits("listen", NULL) ? -1 : (int)syscall(SYS_listen, fd, backlog);
}

/* --- processes -------------------------------------------------------------------------------- */

pid_t fork(void)
{
	pid_t (*real)(void) = (pid_t(*)(void))fault_next("fork");

	return fault_hits("fork", NULL) ? -1 : real();
}

int clone(int (*start)(void *), void *stack, int flags, void *argument, ...)
{
	int (*real)(int (*)(void *), void *, int, void *, ...) =
		(int (*)(int (*)(void *), void *, int, void *, ...))fault_next("clone");
	void *parent_word, *tls, *child_word;
	va_list arguments;

	va_start(arguments, argument);
	parent_word = va_arg(arguments, void *);
	tls = va_arg(arguments, void *);
	child_word = va_arg(arguments, void *);
	va_end(arguments);
	if (fault_hits("clone", NULL))
		return -1;
	return real(start, stack, flags, argument, parent_word, tls, child_word);
}

/* --- time and limits -------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, clock, now);
	int64_t ns;

	if (result == 0 && clock == CLOCK_REALTIME && board != NULL) {
		ns = now->tv_sec * FAULT_NS_PER_S + now->tv_nsec + board->wall_offset_ns;
		now->tv_sec = ns / FAULT_NS_PER_S;
		now->tv_nsec = ns % FAULT_NS_PER_S;
	}
	return result;
}

time_t time(time_t *out)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

int getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
	if (resource == RLIMIT_NOFILE && board != NULL && board->open_files_max != 0) {
		*limit = (struct rlimit){board->open_files_max, board->open_files_max};
		return 0;
	}
	return (int)syscall(SYS_prlimit64, 0, resource, NULL, limit);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* A sanitizer has its own; there these are left out (FAULT_WITHOUT_MALLOC). */
#ifndef FAULT_WITHOUT_MALLOC

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

void *malloc(size_t size)
{
	return fault_hits("malloc", NULL) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fault_hits("malloc", NULL) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fault_hits("malloc", NULL) ? NULL : __libc_realloc(old, size);
}

/* The C library's own calls realloc past the one above. */
void *reallocarray(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

#endif

/* Anonymous memory; what libc itself maps is not seen here. */
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	if (board != NULL && fault_hits("mmap", NULL))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}
