/*
 * client: one member of the room.
 */
#include "config.h"

#include "services/chatroom/client.h"
#include "services/lib/io.h"
#include "services/lib/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *client_end_name(enum client_end end)
{
	static const char *const names[] = {
		[CLIENT_HERE] = "here",
		[CLIENT_LEAVES] = "leaves",
		[CLIENT_GONE] = "gone",
		[CLIENT_SLOW] = "slow",
	};

	return names[end];
}

struct client *client_new(int in, int out, const char *address, size_t queue_bytes, int64_t now_ns)
{
	struct client *client = malloc(sizeof(*client));
	struct text text;

	if (client == NULL)
		return NULL;
	if (queue_init(&client->queue, queue_bytes) != 0) {
		free(client);
		return NULL;
	}
	client->in = in;
	client->out = out;
	client->end = CLIENT_HERE;
	client->counted = false;
	client->blocked = false;
	client->took = false;
	client->took_ns = now_ns;
	client->due_ns = 0;
	client->name[0] = '\0';
	text_begin(&text, client->address, sizeof(client->address));
	text_add(&text, address);
	rate_init(&client->rate, now_ns);
	input_init(&client->input);
	return client;
}

static void connection_close(struct client *client)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (client->end == CLIENT_LEAVES && client->queue.used == 0)
		io_finish(client->in, client->out);
	else
		setsockopt(client->out, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(client->in);
	if (client->out != client->in)
		close(client->out);
}

void client_free(struct client *client)
{
	connection_close(client);
	queue_free(&client->queue);
	free(client);
}

void client_flush(struct client *client)
{
	struct io_deadline now = io_deadline_idle(0);

	while (client->queue.used > 0) {
		const char *bytes;
		size_t count = queue_peek(&client->queue, &bytes);
		ssize_t sent = io_write(client->out, bytes, count, &now);

		if (sent < 0 && errno != ETIMEDOUT) {
			client->end = CLIENT_GONE;
			return;
		}
		client->blocked = sent < (ssize_t)count;
		if (sent > 0) {
			client->took = true;
			queue_drop(&client->queue, (size_t)sent);
		}
		if (client->blocked)
			return;
	}
}

void client_send(struct client *client, const char *message, size_t length)
{
	if (client->end != CLIENT_HERE)
		return;
	if (queue_space(&client->queue) < length)
		client_flush(client);
	if (!queue_push(&client->queue, message, length) && client->end == CLIENT_HERE)
		client->end = CLIENT_SLOW;
}

void client_tell(struct client *client, const char *message)
{
	client_send(client, message, strlen(message));
}

ssize_t client_receive(struct client *client, char *piece, size_t size)
{
	struct io_deadline now = io_deadline_idle(0);
	ssize_t got = io_read(client->in, piece, size, &now);

	/* A connection that timed out says ETIMEDOUT as well, but once, and then end of file. */
	if (got < 0 && errno != ETIMEDOUT)
		client->end = CLIENT_GONE;
	return got;
}
