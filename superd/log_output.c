/*
 * log_output: stderr and files.
 */
#include "config.h"
#include "superd/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "superd/descriptor.h"

/* What the result of write(2) or send(2) means.  SIGPIPE is ignored by superd. */
static enum log_taken judge(ssize_t result, size_t *taken)
{
	if (result > 0) {
		*taken = (size_t)result;
		return LOG_TAKEN;
	}
	if (result == 0)
		return LOG_BUSY;
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
		return LOG_BUSY;
	case EPIPE:
	case ECONNRESET:
	case ECONNREFUSED:
	case ENOTCONN:
		return LOG_GONE;
	}
	return LOG_FAILED;
}

/* --- files --- */

static int file_open(struct log_output *output, struct error *error)
{
	/* O_NONBLOCK for a FIFO or a terminal; it means nothing to a file */
	int fd = open(output->path,
		O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);

	if (fd == -1)
		return error_set(error, errno, "cannot open log file %s", output->path);
	output->fd = descriptor_raise(fd);
	return 0;
}

static enum log_taken file_write(
	struct log_output *output, const char *lines, size_t length, size_t *taken)
{
	return judge(write(output->fd, lines, length), taken);
}

/* --- stderr --- */

static int stderr_open(struct log_output *output, struct error *error)
{
	struct stat status;
	bool shared;
	int fd = -1;

	if (fstat(output->stderr_fd, &status) == -1)
		return 0; /* closed: all is dropped.  The number may be anybody's later */
	output->is_socket = S_ISSOCK(status.st_mode);
	/* Who shares a file's description goes on behind what is written, not over it. */
	shared = output->is_socket || S_ISREG(status.st_mode);
	if (!shared)
		fd = open(output->path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1) {
		output->is_guarded = !shared;
		fd = fcntl(output->stderr_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	}
	if (fd == -1)
		return error_set(error, errno, "cannot log to standard error");
	output->fd = descriptor_raise(fd);
	return 0;
}

/*
 * The description is shared with others and may block: what poll(2) calls writable takes
 * PIPE_BUF bytes, where nobody else writes in between.  Cut behind a line where there is one.
 */
static enum log_taken write_guarded(int fd, const char *lines, size_t length, size_t *taken)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	const char *last;

	if (poll(&poll_fd, 1, 0) <= 0)
		return LOG_BUSY;
	if (length > PIPE_BUF) {
		last = memrchr(lines, '\n', PIPE_BUF);
		length = last == NULL ? PIPE_BUF : (size_t)(last - lines) + 1;
	}
	return judge(write(fd, lines, length), taken);
}

static enum log_taken stderr_write(
	struct log_output *output, const char *lines, size_t length, size_t *taken)
{
	if (output->fd == -1)
		return LOG_GONE;
	if (output->is_socket)
		return judge(send(output->fd, lines, length, MSG_DONTWAIT | MSG_NOSIGNAL), taken);
	if (output->is_guarded)
		return write_guarded(output->fd, lines, length, taken);
	return judge(write(output->fd, lines, length), taken);
}

const struct log_output_ops log_file_ops = {.open = file_open, .write = file_write};
const struct log_output_ops log_stderr_ops = {.open = stderr_open, .write = stderr_write};
