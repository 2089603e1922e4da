/*
 * log_syslog: datagrams to /dev/log, RFC 3164.  While the socket is absent lines wait.
 */
#include "config.h"
#include "superd/log_sink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "superd/descriptor.h"

/* Lines that one sendmmsg(2) sends. */
#define BATCH 64

static int syslog_open(struct log_output *output, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(output->path) >= sizeof(address.sun_path))
		return error_set(error, ENAMETOOLONG, "%s", output->path);
	return 0;
}

/* Connecting may be tried once a second. */
static int syslog_connect(struct log_output *output)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int64_t now_ns = clock_now_ns();
	int fd;

	if (now_ns < output->next_open_ns)
		return -1;
	output->next_open_ns = now_ns + CLOCK_NS_PER_S;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	strcpy(address.sun_path, output->path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == -1) {
		close(fd);
		return -1;
	}
	output->fd = descriptor_raise(fd);
	return 0;
}

static size_t line_length(const char *line, size_t length)
{
	return (size_t)((const char *)memchr(line, '\n', length) - line);
}

/* Sends lines, a datagram each; returns how many bytes were taken, or -1. */
static ssize_t send_lines(int fd, const char *lines, size_t length)
{
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	unsigned count = 0;
	ssize_t taken = 0;
	int sent;

	for (size_t at = 0; at < length && count < BATCH; count++) {
		vectors[count] = (struct iovec){.iov_base = (char *)lines + at,
			.iov_len = line_length(lines + at, length - at)};
		messages[count] =
			(struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[count], .msg_iovlen = 1}};
		at += vectors[count].iov_len + 1;
	}
	sent = sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent == -1)
		return -1;
	for (int i = 0; i < sent; i++)
		taken += (ssize_t)vectors[i].iov_len + 1;
	return taken;
}

static enum log_taken syslog_write(
	struct log_output *output, const char *lines, size_t length, size_t *taken)
{
	while (output->fd != -1 || syslog_connect(output) == 0) {
		ssize_t result = send_lines(output->fd, lines, length);

		if (result > 0) {
			*taken = (size_t)result;
			return LOG_TAKEN;
		}
		if (result == 0 || errno == EAGAIN || errno == EINTR || errno == ENOBUFS ||
			errno == ENOMEM)
			return LOG_BUSY;
		if (errno == EMSGSIZE)
			return LOG_FAILED; /* no limit is known that a record meets */
		close(output->fd);
		output->fd = -1;
	}
	return LOG_BUSY;
}

const struct log_output_ops log_syslog_ops = {.open = syslog_open, .write = syslog_write};
