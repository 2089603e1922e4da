/*
 * io: reads and writes that survive short counts, EINTR and EAGAIN, and that end at a deadline.
 */
#include "config.h"

#include "services/lib/io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct io_deadline io_deadline_idle(int timeout_ms)
{
	return (struct io_deadline){.timeout_ms = timeout_ms};
}

struct io_deadline io_deadline_total(int timeout_ms)
{
	return (struct io_deadline){.timeout_ms = timeout_ms, .total = true};
}

struct io_deadline io_deadline_within(int idle_ms, int total_ms)
{
	if (idle_ms == IO_FOREVER)
		return io_deadline_total(total_ms);
	return (struct io_deadline){
		.timeout_ms = idle_ms, .limit_ms = total_ms == IO_FOREVER ? 0 : total_ms};
}

void io_ignore_sigpipe(void)
{
	signal(SIGPIPE, SIG_IGN);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* Milliseconds that may still be waited, rounded up so that no wait ends too early. */
static int deadline_left_ms(struct io_deadline *deadline)
{
	int most_ms = deadline->total ? deadline->timeout_ms : deadline->limit_ms;
	int64_t now, left_ms;

	if (most_ms <= 0 || deadline->timeout_ms == 0)
		return deadline->timeout_ms;
	now = now_ns();
	if (deadline->due_ns == 0)
		deadline->due_ns = now + most_ms * NS_PER_MS;
	left_ms = (deadline->due_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	if (left_ms < 0)
		return 0;
	return left_ms < deadline->timeout_ms ? (int)left_ms : deadline->timeout_ms;
}

/* Whether the time for all calls together is up, so that progress no longer counts. */
static bool deadline_passed(const struct io_deadline *deadline)
{
	return deadline->due_ns != 0 && now_ns() >= deadline->due_ns;
}

/* Bytes that the peer of a socket has not acknowledged yet; 0 for everything else. */
static int queued_bytes(int fd)
{
	int queued;

	return ioctl(fd, TIOCOUTQ, &queued) == 0 ? queued : 0;
}

static int64_t watches_queued(const struct pollfd *watches, nfds_t count)
{
	int64_t queued = 0;

	for (nfds_t i = 0; i < count; i++)
		if (watches[i].fd >= 0 && (watches[i].events & POLLOUT) != 0)
			queued += queued_bytes(watches[i].fd);
	return queued;
}

int io_wait_any(struct pollfd *watches, nfds_t count, struct io_deadline *deadline)
{
	/* A full queue calls itself writable only when a third of it is free again, which a slow
	   reader of a large queue may not reach in time although it never stops. */
	bool watch_queue = !deadline->total && deadline->timeout_ms > 0;
	int64_t queued = watch_queue ? watches_queued(watches, count) : 0;

	for (;;) {
		int ready = poll(watches, count, deadline_left_ms(deadline));
		int64_t left;

		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -1;
		if (ready < 0)
			continue;
		left = watch_queue ? watches_queued(watches, count) : queued;
		if (left >= queued || deadline_passed(deadline)) {
			errno = ETIMEDOUT;
			return -1;
		}
		queued = left;
	}
}

int io_wait(int fd, short events, struct io_deadline *deadline)
{
	struct pollfd watch = {.fd = fd, .events = events};

	return io_wait_any(&watch, 1, deadline);
}

/* After EAGAIN: io_wait(), but where no wait is wanted nothing can have changed since. */
static int blocked_wait(int fd, short events, struct io_deadline *deadline)
{
	if (deadline->timeout_ms == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return io_wait(fd, events, deadline);
}

/* io_read() for what is no socket: read(2) could block, so it comes after poll(2) only. */
static ssize_t file_read(int fd, void *buffer, size_t size, struct io_deadline *deadline)
{
	for (;;) {
		ssize_t got;

		if (io_wait(fd, POLLIN, deadline) != 0)
			return -1;
		got = read(fd, buffer, size);
		if (got >= 0 || (errno != EINTR && errno != EAGAIN))
			return got;
	}
}

static ssize_t receive(int fd, void *buffer, size_t size, int flags, struct io_deadline *deadline)
{
	for (;;) {
		ssize_t got = recv(fd, buffer, size, MSG_DONTWAIT | flags);

		if (got >= 0)
			return got;
		if (errno == ENOTSOCK)
			return file_read(fd, buffer, size, deadline);
		if (errno == EAGAIN) {
			if (blocked_wait(fd, POLLIN, deadline) != 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
}

ssize_t io_read(int fd, void *buffer, size_t size, struct io_deadline *deadline)
{
	return receive(fd, buffer, size, 0, deadline);
}

ssize_t io_drop(int fd, void *buffer, size_t size, struct io_deadline *deadline)
{
	return receive(fd, buffer, size, MSG_TRUNC, deadline);
}

ssize_t io_read_full(int fd, void *buffer, size_t size, struct io_deadline *deadline)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = io_read(fd, (char *)buffer + done, size - done, deadline);

		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* io_write() for what is no socket: a ready pipe takes PIPE_BUF bytes without blocking. */
static ssize_t file_write(int fd, const void *data, size_t size, struct io_deadline *deadline)
{
	for (;;) {
		ssize_t put;

		if (io_wait(fd, POLLOUT, deadline) != 0)
			return -1;
		put = write(fd, data, size < PIPE_BUF ? size : PIPE_BUF);
		if (put >= 0 || (errno != EINTR && errno != EAGAIN))
			return put;
	}
}

ssize_t io_write(int fd, const void *data, size_t size, struct io_deadline *deadline)
{
	for (;;) {
		ssize_t put = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put >= 0)
			return put;
		if (errno == ENOTSOCK)
			return file_write(fd, data, size, deadline);
		if (errno == EAGAIN) {
			if (blocked_wait(fd, POLLOUT, deadline) != 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
}

int io_write_full(int fd, const void *data, size_t size, struct io_deadline *deadline)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = io_write(fd, (const char *)data + done, size - done, deadline);

		if (put < 0)
			return -1;
		done += (size_t)put;
	}
	return 0;
}

void io_finish(int in, int out)
{
	char scrap[65536]; /* never touched unless bytes have come */

	if (shutdown(out, SHUT_WR) == 0)
		recv(in, scrap, sizeof(scrap), MSG_DONTWAIT);
}
