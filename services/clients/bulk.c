/*
 * bulk: many bytes in one send(2), the classic experiment on how TCP cuts them up.
 */
#include "config.h"
#include "services/clients/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/clients/binary.h"

/* The thread: the one send, then the end of the pipe as the sign that it is over. */
static void *bulk_thread(void *context)
{
	struct bulk *bulk = context;
	ssize_t put = send(bulk->socket, bulk->pattern, bulk->bytes, MSG_NOSIGNAL);

	if (put < 0)
		bulk->error = errno;
	else
		bulk->sent = (size_t)put;
	close(bulk->input_end);
	return NULL;
}

int bulk_start(struct bulk *bulk, int socket, size_t bytes, struct fault *fault)
{
	int ends[2];
	int code;

	*bulk = (struct bulk){.socket = socket, .bytes = bytes};
	bulk->pattern = malloc(bytes);
	if (bulk->pattern == NULL)
		return fault_set(fault, errno, "%zu bytes", bytes);
	binary_pattern(bytes, bulk->pattern);
	if (pipe2(ends, O_CLOEXEC) < 0) {
		fault_set(fault, errno, "pipe");
		goto free_pattern;
	}
	bulk->input = ends[0];
	bulk->input_end = ends[1];
	code = pthread_create(&bulk->thread, NULL, bulk_thread, bulk);
	if (code != 0) {
		fault_set(fault, code, "thread");
		goto close_pipe;
	}
	return 0;

close_pipe:
	close(ends[0]);
	close(ends[1]);
free_pattern:
	free(bulk->pattern);
	return -1;
}

static void bulk_tell(struct bulk *bulk)
{
	if (bulk->told)
		return;
	bulk->told = true;
	printf("sent %zu bytes from %zu.\n", bulk->sent, bulk->bytes);
	fflush(stdout);
}

void bulk_encode(void *context, struct buffer *from, struct buffer *to, bool at_end)
{
	(void)from;
	(void)to;
	if (at_end)
		bulk_tell(context);
}

void bulk_decode(void *context, struct buffer *from, struct buffer *to, bool at_end)
{
	const struct bulk *bulk = context;

	if (bulk->told || at_end || buffer_room(from) == 0)
		buffer_move(from, to);
}

int bulk_finish(struct bulk *bulk, struct fault *fault)
{
	/* Wakes a send that nobody reads any more; one that is over does not mind. */
	shutdown(bulk->socket, SHUT_RDWR);
	pthread_join(bulk->thread, NULL);
	bulk_tell(bulk);
	close(bulk->input);
	free(bulk->pattern);
	if (bulk->sent == bulk->bytes)
		return 0;
	if (bulk->error != 0)
		return fault_set(fault, bulk->error, "send");
	return fault_set(fault, 0, "server terminated prematurely: the rest was not sent");
}
