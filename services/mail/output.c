/*
 * output: what a fetch sends, and whether all of it has arrived.
 */
#include "config.h"

#include "services/mail/output.h"
#include "services/lib/serve.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a client may say after its login; it has nothing to say. */
#define MAX_CHATTER 65536

void output_begin(struct output *output, struct exchange *exchange)
{
	output->exchange = exchange;
	output->ended_early = false;
	output->used = 0;
}

/* Whether end of file has come on fd already, or the connection has failed. */
static bool input_ended(int fd)
{
	struct pollfd watch = {.fd = fd, .events = POLLIN | POLLRDHUP};
	int waiting = 0;

	if (poll(&watch, 1, 0) <= 0)
		return false;
	if ((watch.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
		return true;
	/* Pipes, files, terminals: readable, with nothing to read. */
	return (watch.revents & POLLIN) != 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting == 0;
}

int output_flush(struct output *output)
{
	struct exchange *exchange = output->exchange;
	size_t used = output->used;

	if (used == 0)
		return 0;
	output->used = 0;
	if (input_ended(exchange->in))
		output->ended_early = true;
	return io_write_full(exchange->out, output->buffer, used, &exchange->deadline);
}

int output_add(struct output *output, const char *data, size_t size)
{
	while (size > 0) {
		size_t room = OUTPUT_BUFFER - output->used;
		size_t part = size < room ? size : room;

		memcpy(output->buffer + output->used, data, part);
		output->used += part;
		data += part;
		size -= part;
		if (output->used == OUTPUT_BUFFER && output_flush(output) != 0)
			return -1;
	}
	return 0;
}

int output_add_file(struct output *output, int fd, uint64_t size)
{
	off_t offset = 0;

	while ((uint64_t)offset < size) {
		uint64_t left = size - (uint64_t)offset;
		size_t room = OUTPUT_BUFFER - output->used;
		ssize_t got = pread(fd, output->buffer + output->used,
			left < room ? (size_t)left : room, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (got == 0)
				errno = EIO;
			return -1;
		}
		offset += got;
		output->used += (size_t)got;
		if (output->used == OUTPUT_BUFFER && output_flush(output) != 0)
			return -1;
	}
	return 0;
}

static bool is_tcp(int fd)
{
	int protocol;
	socklen_t length = sizeof(protocol);

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
	       protocol == IPPROTO_TCP;
}

/* Bytes that the other side has not acknowledged. */
static int unacknowledged(int fd)
{
	int bytes = 0;
	struct stat stat;

	if (ioctl(fd, TIOCOUTQ, &bytes) == 0) {
		/* The end of file counts as one, and it is the last. */
		return bytes == 1 && is_tcp(fd) ? 0 : bytes;
	}
	if (fstat(fd, &stat) == 0 && S_ISFIFO(stat.st_mode) && ioctl(fd, FIONREAD, &bytes) == 0)
		return bytes;
	return 0;
}

/*
 * Waits for the client's end of file.  A client that is slow to take what is still in the queue
 * is not idle.  Returns 0, or -1 with errno.
 */
static int end_wait(struct exchange *exchange)
{
	int queued = unacknowledged(exchange->out);
	size_t chatter = 0;

	while (chatter <= MAX_CHATTER) {
		int left, failed;
		ssize_t got = io_read(
			exchange->in, exchange->buffer, EXCHANGE_BUFFER, &exchange->deadline);

		if (got == 0)
			return 0;
		if (got > 0) {
			chatter += (size_t)got;
			continue;
		}
		failed = errno;
		left = unacknowledged(exchange->out);
		errno = failed;
		if (failed != ETIMEDOUT || left >= queued)
			return -1;
		queued = left;
	}
	errno = EPROTO;
	return -1;
}

bool output_confirmed(struct output *output)
{
	struct exchange *exchange = output->exchange;

	shutdown(exchange->out, SHUT_WR);
	if (end_wait(exchange) != 0) {
		serve_failed("waiting for the client to close");
		return false;
	}
	return !output->ended_early && unacknowledged(exchange->out) == 0;
}

void output_break(struct output *output)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	/* The reset is sent when the process ends; on what is no socket there is none. */
	setsockopt(output->exchange->out, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}
