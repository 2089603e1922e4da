/*
 * limit: the least that can stand between a connection and a program: accept, a new process with
 * the setsid and dup3 calls of superd's child, exec, close, reap.  What a superserver is held
 * against.
 *
 *     tests/bench/limit clone|vfork|fork ADDRESS PORT PROGRAM [ARGUMENT...]
 *
 * No check, no limit, no log, no environment of its own, no table of children.  clone shares memory
 * and goes on at once; vfork shares memory and waits for exec; fork copies.  The descriptor table
 * is copied each time, which costs nothing here: it holds five.
 */
#include "config.h"

#include "superd/spawn_raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 64
#define STACK_BYTES 16384
#define BACKLOG 1024

struct slot {
	int32_t word; /* not 0 while a child is on the stack; cleared by the kernel */
	int fd;
	const struct limit *limit;
	char *stack; /* its top */
};

struct limit {
	void (*start)(struct limit *limit, int fd);
	int listener;
	char *const *argv;
	char *const *envp;
	size_t next;
	struct slot slots[SLOTS];
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* In the new process, which may share this one's memory: registers and system calls only. */
static _Noreturn void child_run(const struct limit *limit, int fd)
{
	raw_call(SYS_dup3, fd, 2, 0, 0, 0);
	raw_call(SYS_dup3, fd, 0, 0, 0, 0);
	raw_call(SYS_dup3, fd, 1, 0, 0, 0);
	raw_call(SYS_setsid, 0, 0, 0, 0, 0);
	raw_call(SYS_execve, raw_pointer(limit->argv[0]), raw_pointer(limit->argv),
		raw_pointer(limit->envp), 0, 0);
	for (;;)
		raw_call(SYS_exit_group, 127, 0, 0, 0, 0);
}

static int child_cb(void *argument)
{
	const struct slot *slot = argument;

	child_run(slot->limit, slot->fd);
}

static void start_clone(struct limit *limit, int fd)
{
	struct slot *slot = &limit->slots[limit->next++ % SLOTS];

	while (__atomic_load_n(&slot->word, __ATOMIC_SEQ_CST) != 0)
		syscall(SYS_futex, &slot->word, FUTEX_WAIT, 1, NULL, NULL, 0);
	slot->fd = fd;
	__atomic_store_n(&slot->word, 1, __ATOMIC_SEQ_CST);
	if (clone(child_cb, slot->stack, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, slot, NULL,
		    NULL, &slot->word) < 0)
		fail("clone");
}

/* The child has a stack of its own, but waiting for exec is what makes it vfork. */
static void start_vfork(struct limit *limit, int fd)
{
	struct slot *slot = &limit->slots[0];

	slot->fd = fd;
	if (clone(child_cb, slot->stack, CLONE_VM | CLONE_VFORK | SIGCHLD, slot) < 0)
		fail("vfork");
}

static void start_fork(struct limit *limit, int fd)
{
	pid_t pid = fork();

	if (pid == 0)
		child_run(limit, fd);
	if (pid < 0)
		fail("fork");
}

static void limit_listen(struct limit *limit, const char *address, const char *port)
{
	struct sockaddr_in own = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int on = 1;

	if (inet_pton(AF_INET, address, &own.sin_addr) != 1) {
		errno = EINVAL;
		fail(address);
	}
	limit->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (limit->listener < 0)
		fail("socket");
	setsockopt(limit->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(limit->listener, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	if (bind(limit->listener, (const struct sockaddr *)&own, sizeof(own)) != 0 ||
		listen(limit->listener, BACKLOG) != 0)
		fail("listen");
}

static void limit_stacks(struct limit *limit)
{
	for (size_t i = 0; i < SLOTS; i++) {
		char *base = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

		if (base == MAP_FAILED)
			fail("stack");
		limit->slots[i].stack = base + STACK_BYTES;
		limit->slots[i].limit = limit;
	}
}

static _Noreturn void limit_run(struct limit *limit)
{
	struct sockaddr_in peer;
	socklen_t length;
	int fd;

	for (;;) {
		length = sizeof(peer);
		fd = accept4(limit->listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
		if (fd < 0)
			fail("accept4");
		limit->start(limit, fd);
		close(fd);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*start)(struct limit *limit, int fd);
	} kinds[] = {{"clone", start_clone}, {"vfork", start_vfork}, {"fork", start_fork}};
	static char *const envp[] = {NULL};
	struct limit limit = {.envp = envp, .argv = argv + 4};

	for (size_t i = 0; argc > 4 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name) == 0)
			limit.start = kinds[i].start;
	}
	if (limit.start == NULL) {
		fputs("usage: limit clone|vfork|fork ADDRESS PORT PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	limit_listen(&limit, argv[2], argv[3]);
	limit_stacks(&limit);
	limit_run(&limit);
}
