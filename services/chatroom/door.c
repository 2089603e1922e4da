/*
 * door: where clients come in.
 */
#include "config.h"

#include "services/chatroom/door.h"
#include "services/lib/io.h"
#include "services/lib/kind.h"
#include "services/lib/listen.h"
#include "services/lib/note.h"
#include "services/lib/peer.h"
#include "services/lib/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64
#define PAUSE_NS INT64_C(100000000)

/* A silent client is asked after a minute, and believed to be gone after two. */
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 15
#define KEEPALIVE_COUNT 4
#define UNACKED_MS 120000

int door_open(struct door *door)
{
	int first;
	size_t given = listen_fds(&first);

	*door = (struct door){.fds = calloc(given, sizeof(int))};
	if (door->fds == NULL)
		return -1;
	for (size_t i = 0; i < given; i++) {
		int fd = first + (int)i;

		if (kind_of(fd) == KIND_LISTENER)
			door->fds[door->count++] = fd;
	}
	return 0;
}

void door_close(struct door *door)
{
	for (size_t i = 0; i < door->count; i++)
		close(door->fds[i]);
	free(door->fds);
	*door = (struct door){0};
}

static void option_set(int fd, int level, int option, int value)
{
	/* What a unix socket does not know it does not need. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void connection_prepare(int fd, size_t queue_bytes)
{
	/* Without this the kernel would queue megabytes for a client that does not read. */
	option_set(fd, SOL_SOCKET, SO_SNDBUF, (int)queue_bytes);
	option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
	/* There is no keepalive while something waits to be acknowledged. */
	option_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS);
	option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static void client_refuse(
	struct door *door, int fd, const char *address, const char *reason, int64_t now_ns)
{
	struct io_deadline now = io_deadline_idle(0);
	char message[ROOM_MESSAGE_SIZE];
	struct text text;

	text_begin(&text, message, sizeof(message));
	text_add(&text, "* ");
	text_add(&text, reason);
	text_add(&text, ", try again later\n");
	io_write_full(fd, message, text.used, &now);
	report_refused(&door->refused, address, reason, now_ns);
	io_finish(fd, fd);
	close(fd);
}

/* Whether accept(2) failed for one connection only. */
static bool accept_error_passes(int code)
{
	return code == EINTR || code == EAGAIN || code == ECONNABORTED || code == EPROTO ||
	       code == ENETDOWN || code == EHOSTUNREACH || code == ENETUNREACH || code == EPERM;
}

/* Whether it will fail for ever: the socket does not listen any more. */
static bool accept_error_stays(int code)
{
	return code == EINVAL || code == EBADF || code == ENOTSOCK || code == EOPNOTSUPP;
}

/* Returns whether to go on with this socket at once. */
static bool accept_failed(struct door *door, size_t index, int64_t now_ns)
{
	if (accept_error_passes(errno))
		return true;
	report_accept(&door->failed, now_ns);
	if (accept_error_stays(errno)) {
		close(door->fds[index]);
		door->fds[index] = door->fds[--door->count];
	} else {
		/* The connection is still there and so is the cause: do not spin. */
		door->paused_ns = now_ns + PAUSE_NS;
	}
	return false;
}

static void client_admit(struct door *door, int fd, struct room *room, int64_t now_ns)
{
	char address[PEER_TEXT_SIZE];
	struct peer peer;

	peer_of(fd, &peer);
	peer_format(&peer, address);
	connection_prepare(fd, room->queue_bytes);
	if (room_join(room, fd, fd, address, now_ns) == NULL)
		client_refuse(door, fd, address,
			errno == ENOMEM ? "the channel is out of memory" : "the channel is full",
			now_ns);
}

static bool connection_waits(int fd)
{
	struct pollfd watch = {.fd = fd, .events = POLLIN};

	return poll(&watch, 1, 0) > 0;
}

void door_admit(struct door *door, size_t index, struct room *room, int64_t now_ns)
{
	int listener = door->fds[index];

	for (int i = 0; i < BATCH && (i == 0 || connection_waits(listener)); i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			client_admit(door, fd, room, now_ns);
		else if (!accept_failed(door, index, now_ns))
			return;
	}
}
