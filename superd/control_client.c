/*
 * control_client: connect, one line, read to the end.
 */
#include "config.h"
#include "superd/control_client.h"

#include "superd/control_request.h"
#include "superd/control_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ATTEMPTS 5
#define PIECE 65536

struct text {
	char *bytes;
	size_t size;
	size_t used;
};

static int client_connect(const char *path, int timeout_ms, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval most = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	int fd;

	if (strlen(path) > CONTROL_PATH_MAX)
		return error_set(error, ENAMETOOLONG, "%s", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error, errno, "socket");
	/* also for connect(2), where the queue of a superd that hangs is full */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		error_set(error, errno, "no superd answers at %s", path);
	else if (errno == EAGAIN)
		error_set(error, 0, "superd at %s does not answer", path);
	else
		error_set(error, errno, "%s", path);
	close(fd);
	return -1;
}

/* Reads to end of file. */
static int client_read(int fd, struct text *text, int timeout_ms, struct error *error)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t count;
	int state;

	for (;;) {
		if (text->size - text->used < PIECE) {
			size_t size = text->size * 2 + 2 * PIECE;
			char *grown = realloc(text->bytes, size);

			if (grown == NULL)
				return error_set(error, ENOMEM, "the answer");
			text->bytes = grown;
			text->size = size;
		}
		state = poll(&ready, 1, timeout_ms);
		if (state == 0)
			return error_set(error, 0, "superd does not answer");
		count = state < 0 ? -1 : recv(fd, text->bytes + text->used, PIECE, MSG_DONTWAIT);
		if (count == 0)
			return 0;
		if (count > 0)
			text->used += (size_t)count;
		else if (errno == ECONNRESET)
			return 0; /* what it sent before that has been read */
		else if (errno != EINTR && errno != EAGAIN)
			return error_set(error, errno, "the answer");
	}
}

static int client_send(int fd, const char *line, size_t length, struct error *error)
{
	while (length > 0) {
		ssize_t count = send(fd, line, length, MSG_NOSIGNAL);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0; /* turned away: the answer says why */
		if (count < 0)
			return error_set(error, errno, "the request");
		line += count;
		length -= (size_t)count;
	}
	return 0;
}

/* One attempt. Returns 1 where the answer was cut. */
static int client_try(const char *path, const char *line, size_t length, int timeout_ms,
	json_t **answer, struct error *error)
{
	struct text text = {0};
	json_error_t problem;
	int result = -1;
	int fd = client_connect(path, timeout_ms, error);

	if (fd < 0)
		return -1;
	if (client_send(fd, line, length, error) == 0 &&
		client_read(fd, &text, timeout_ms, error) == 0) {
		if (text.used == 0 || text.bytes[text.used - 1] != '\n') {
			error_set(error, 0, "the answer is not whole");
			result = 1;
		} else {
			*answer = json_loadb(text.bytes, text.used, 0, &problem);
			if (json_is_boolean(json_object_get(*answer, "ok"))) {
				result = 0;
			} else {
				json_decref(*answer);
				error_set(error, 0, "the answer is not superd's");
			}
		}
	}
	free(text.bytes);
	close(fd);
	return result;
}

int control_client_ask(const char *path, const char *const *words, size_t count, int timeout_ms,
	json_t **answer, struct error *error)
{
	char line[CONTROL_LINE_MAX];
	ssize_t length = control_request_format(words, count, line, error);
	int result = 1;

	if (length < 0)
		return -1;
	for (int i = 0; i < ATTEMPTS && result > 0; i++)
		result = client_try(path, line, (size_t)length, timeout_ms, answer, error);
	return result == 0 ? 0 : -1;
}
