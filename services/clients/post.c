/*
 * post: climess send, the client's half of messenger's dialogue for one message.
 */
#include "config.h"

#include "services/clients/post.h"
#include "services/clients/wire.h"
#include "services/lib/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_SIZE 65536

/* Reads fd to its end.  Returns 0, or -1 with errno. */
static int data_read(struct post *post, int fd)
{
	size_t size = 0;

	for (;;) {
		ssize_t got;

		if (post->bytes == size) {
			size_t larger = size == 0 ? FIRST_SIZE : 2 * size;
			char *data = realloc(post->data, larger);

			if (data == NULL)
				return -1;
			post->data = data;
			size = larger;
		}
		got = read(fd, post->data + post->bytes, size - post->bytes);
		if (got == 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return -1;
		if (got > 0)
			post->bytes += (size_t)got;
	}
}

int post_read(struct post *post, const char *file, struct fault *fault)
{
	int fd = file == NULL ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	int result = 0;

	post->data = NULL;
	post->bytes = 0;
	if (fd < 0 || data_read(post, fd) != 0)
		result = fault_set(fault, errno, "%.400s", file == NULL ? "standard input" : file);
	if (file != NULL && fd >= 0)
		close(fd);
	return result;
}

void post_free(struct post *post)
{
	free(post->data);
	post->data = NULL;
}

/*
 * Sends data until all is sent or the server has something to say, which it says early only when
 * it refuses.  Returns 0, or -1 with errno.
 */
static int data_send(int socket, const char *data, size_t size, int idle_ms)
{
	struct io_deadline now = io_deadline_idle(0);
	struct io_deadline idle = io_deadline_idle(idle_ms);
	size_t done = 0;

	while (done < size) {
		struct pollfd watch = {.fd = socket, .events = POLLIN | POLLOUT};
		ssize_t put;

		if (io_wait_any(&watch, 1, &idle) != 0)
			return -1;
		if ((watch.revents & POLLIN) != 0)
			return 0;
		put = io_write(socket, data + done, size - done, &now);
		if (put < 0 && errno != ETIMEDOUT)
			return -1;
		if (put > 0)
			done += (size_t)put;
	}
	return 0;
}

/* Reads the answer to its end and prints it.  Returns 0, or -1 with *fault. */
static int answer_read(int socket, int idle_ms, char answer[WIRE_LINE_SIZE], struct fault *fault)
{
	struct io_deadline deadline = io_deadline_idle(idle_ms);
	ssize_t got = io_read_full(socket, answer, WIRE_LINE_SIZE - 1, &deadline);

	if (got < 0)
		return fault_set(fault, errno, "no answer");
	if (got == 0)
		return fault_set(fault, 0, "the server has closed without an answer");
	answer[got] = '\0';
	return wire_print(answer, (size_t)got, fault);
}

/*
 * Looks at a 250: a server that runs without -l has taken the line BYTES for a part of the
 * message.
 */
static int answer_check(const struct post *post, const char *answer, struct fault *fault)
{
	uint64_t stored;

	if (sscanf(answer, "250 stored %" SCNu64 " bytes", &stored) == 1 && stored != post->bytes)
		return fault_set(fault, 0,
			"%zu bytes were sent and not %" PRIu64
			"; a server without -l needs --plain",
			post->bytes, stored);
	return 0;
}

int post_send(const struct post *post, int socket, struct fault *fault)
{
	char header[2 * WIRE_LINE_SIZE];
	char answer[WIRE_LINE_SIZE];
	int sent, code, length;

	length = snprintf(header, sizeof(header), "%s\n%s\n", post->sender, post->recipient);
	if (!post->plain && length > 0 && length < (int)sizeof(header))
		length += snprintf(header + length, sizeof(header) - (size_t)length, "BYTES %zu\n",
			post->bytes);
	if (length < 0 || length >= (int)sizeof(header))
		return fault_set(fault, 0, "the logins are too long");
	wire_break_at_exit(socket);
	sent = data_send(socket, header, (size_t)length, post->idle_ms);
	if (sent == 0)
		sent = data_send(socket, post->data, post->bytes, post->idle_ms);
	code = errno;
	if (sent == 0)
		shutdown(socket, SHUT_WR);
	/* A server that refuses answers first, whatever became of the message. */
	if (answer_read(socket, post->idle_ms, answer, fault) != 0)
		return sent == 0 ? -1 : fault_set(fault, code, "cannot send");
	wire_end(socket);
	fault->text[0] = '\0';
	if (strncmp(answer, "250 ", 4) != 0)
		return -1;
	return answer_check(post, answer, fault);
}
