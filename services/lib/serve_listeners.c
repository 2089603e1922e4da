/*
 * serve_listeners: the accept loop of a stream service in wait mode.
 *
 * The listening sockets are blocking and shared with the server that lent them, so nothing is
 * changed on them, and accept(2) is called only when poll(2) has seen a connection: nobody else
 * accepts there, so it cannot have gone.
 */
#include "config.h"

#include "services/lib/serve_listeners.h"
#include "services/lib/io.h"
#include "services/lib/kind.h"
#include "services/lib/listen.h"
#include "services/lib/note.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* So many failures in a row are no longer the network's. */
#define MAX_FAILURES 100
#define PAUSE_NS 100000000L

struct acceptor {
	struct pollfd *watches; /* one a listening socket */
	size_t count;
	sigset_t waiting; /* the signal mask while waiting: SIGCHLD may come */
	unsigned clients; /* forked and not reaped yet */
	unsigned failures;
};

/* Only its arrival matters: it interrupts ppoll(2). */
static void child_ended(int signal)
{
	(void)signal;
}

/* SIGCHLD comes only while ppoll(2) waits, so that none is missed before it. */
static void signals_begin(struct acceptor *acceptor)
{
	struct sigaction action = {.sa_handler = child_ended};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &acceptor->waiting);
	sigdelset(&acceptor->waiting, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
}

/* By mmap(2), since no other part of a service needs malloc(3): the kernel clears it, too. */
static struct pollfd *watches_allocate(size_t count)
{
	void *memory = mmap(NULL, count * sizeof(struct pollfd), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory != MAP_FAILED ? memory : NULL;
}

static int acceptor_begin(struct acceptor *acceptor)
{
	int first;
	size_t given = listen_fds(&first);

	*acceptor = (struct acceptor){.watches = watches_allocate(given)};
	if (acceptor->watches == NULL)
		return -1;
	for (size_t i = 0; i < given; i++) {
		int fd = first + (int)i;

		if (kind_of(fd) == KIND_LISTENER)
			acceptor->watches[acceptor->count++] =
				(struct pollfd){.fd = fd, .events = POLLIN};
	}
	/* A list without a listening socket is a mistake, but there is one on 0. */
	if (acceptor->count == 0)
		acceptor->watches[acceptor->count++] =
			(struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	signals_begin(acceptor);
	return 0;
}

static void children_reap(struct acceptor *acceptor)
{
	while (acceptor->clients > 0 && waitpid(-1, NULL, WNOHANG) > 0)
		acceptor->clients--;
}

/* In the new process: the client on 0 and 1, as if it had been started for it alone. */
static int client_serve(const struct serve *serve, struct acceptor *acceptor, int client)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(SIGCHLD, &action, NULL);
	sigprocmask(SIG_SETMASK, &acceptor->waiting, NULL);
	for (size_t i = 0; i < acceptor->count; i++)
		close(acceptor->watches[i].fd);
	if (dup2(client, STDIN_FILENO) < 0 || dup2(client, STDOUT_FILENO) < 0) {
		note_errno("dup2");
		return STATUS_FAILED;
	}
	if (client > STDOUT_FILENO)
		close(client);
	return serve->service->stream_cb(serve);
}

/* Whether accept(2) failed for one connection only. */
static bool accept_error_passes(int code)
{
	return code == EINTR || code == EAGAIN || code == ECONNABORTED || code == EPROTO ||
	       code == ENETDOWN || code == EHOSTUNREACH || code == ENETUNREACH || code == EPERM;
}

static void accept_failed(struct acceptor *acceptor, const char *what)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NS};

	if (acceptor->failures++ == 0)
		note_errno(what);
	if (errno == EINVAL || errno == EBADF)
		acceptor->failures = MAX_FAILURES; /* it listens no more */
	else
		nanosleep(&pause, NULL); /* the connection and the cause remain: do not spin */
}

/*
 * Accepts one connection and forks.  Returns 0 in the parent; in the child 1, when the client has
 * been served, with *status.
 */
static int client_accept(const struct serve *serve, struct acceptor *acceptor, int fd, int *status)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	pid_t pid;

	if (client < 0) {
		if (!accept_error_passes(errno))
			accept_failed(acceptor, "accept");
		return 0;
	}
	pid = fork();
	if (pid == 0) {
		*status = client_serve(serve, acceptor, client);
		return 1;
	}
	if (pid < 0) {
		accept_failed(acceptor, "fork");
	} else {
		acceptor->clients++;
		acceptor->failures = 0;
	}
	close(client);
	return 0;
}

/* Waits for a connection or a child's end.  As ppoll(2); 0 is the idle time without a client. */
static int acceptor_wait(const struct serve *serve, struct acceptor *acceptor)
{
	struct timespec idle = {
		.tv_sec = serve->idle_ms / 1000, .tv_nsec = serve->idle_ms % 1000 * 1000000L};
	/* The idle time counts while nobody is being served. */
	bool timed = acceptor->clients == 0 && serve->idle_ms != IO_FOREVER;
	/* At the limit only a child's end is of interest: the kernel's queue holds the clients. */
	bool full = acceptor->clients >= SERVE_MAX_CLIENTS;

	return ppoll(acceptor->watches, full ? 0 : acceptor->count, timed ? &idle : NULL,
		&acceptor->waiting);
}

static int acceptor_run(const struct serve *serve, struct acceptor *acceptor)
{
	int status;

	while (acceptor->failures < MAX_FAILURES) {
		int ready = acceptor_wait(serve, acceptor);

		if (ready == 0)
			return STATUS_DONE;
		if (ready < 0 && errno != EINTR) {
			note_errno("ppoll");
			return STATUS_FAILED;
		}
		children_reap(acceptor);
		for (size_t i = 0; ready > 0 && i < acceptor->count; i++)
			if (acceptor->watches[i].revents != 0 &&
				acceptor->clients < SERVE_MAX_CLIENTS &&
				client_accept(serve, acceptor, acceptor->watches[i].fd, &status))
				return status;
	}
	note("giving up", NOTE_END);
	return STATUS_FAILED;
}

int serve_listeners(const struct serve *serve)
{
	struct acceptor acceptor;

	if (acceptor_begin(&acceptor) != 0) {
		note_errno("mmap");
		return STATUS_TEMPFAIL;
	}
	return acceptor_run(serve, &acceptor);
}
