/*
 * room: those who are here, and what all of them are told.
 */
#include "config.h"

#include "services/chatroom/room.h"
#include "services/chatroom/report.h"
#include "services/lib/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Who took nothing for so long does not read. */
#define READING_NS INT64_C(1000000000)

/* Whose queue is filled to this part lags behind. */
#define LAG_PART 4

/* Patience with single ones, and with more than this part of the room (and more than one). */
#define PATIENCE_NS INT64_C(10000000)
#define QUORUM_PART 8
#define QUORUM_PATIENCE_NS INT64_C(250000000)

int room_open(struct room *room, size_t capacity, size_t queue_bytes)
{
	*room = (struct room){
		.clients = calloc(capacity, sizeof(struct client *)),
		.capacity = capacity,
		.queue_bytes = queue_bytes,
	};
	return room->clients != NULL ? 0 : -1;
}

void room_free(struct room *room)
{
	for (size_t i = 0; i < room->count; i++)
		client_free(room->clients[i]);
	free(room->clients);
	*room = (struct room){0};
}

void room_tell(struct room *room, const struct client *except, const char *message, size_t length)
{
	room->told_bytes += length;
	for (size_t i = 0; i < room->count; i++)
		if (room->clients[i] != except)
			client_send(room->clients[i], message, length);
}

/* "* maria joined", "* maria left" for everybody else. */
static void room_announce(struct room *room, const struct client *client, const char *what)
{
	char message[ROOM_MESSAGE_SIZE];
	struct text text;

	text_begin(&text, message, sizeof(message));
	text_add(&text, "* ");
	text_add(&text, client->name);
	text_add(&text, what);
	room_tell(room, client, message, text.used);
}

struct client *room_find(const struct room *room, const char *name)
{
	for (size_t i = 0; i < room->count; i++)
		if (room->clients[i]->end == CLIENT_HERE && name_same(room->clients[i]->name, name))
			return room->clients[i];
	return NULL;
}

size_t room_here(const struct room *room)
{
	size_t here = 0;

	for (size_t i = 0; i < room->count; i++)
		here += room->clients[i]->end == CLIENT_HERE;
	return here;
}

/* The next guest's name that nobody has taken by /nick. */
static void guest_name(struct room *room, char name[NAME_SIZE])
{
	do {
		room->guests = room->guests % NAME_GUEST_MAX + 1;
		name_guest(name, room->guests);
	} while (room_find(room, name) != NULL);
}

static void client_welcome(struct client *client)
{
	char message[ROOM_MESSAGE_SIZE];
	struct text text;

	text_begin(&text, message, sizeof(message));
	text_add(&text, "Your address: ");
	text_add(&text, client->address);
	text_add_char(&text, '\n');
	client_send(client, message, text.used);
}

struct client *room_join(struct room *room, int in, int out, const char *address, int64_t now_ns)
{
	struct client *client;

	errno = 0;
	if (room->closing || room->count == room->capacity)
		return NULL;
	client = client_new(in, out, address, room->queue_bytes, now_ns);
	if (client == NULL)
		return NULL;
	guest_name(room, client->name);
	room->clients[room->count++] = client;
	client->counted = true;
	client_welcome(client);
	room_announce(room, client, " joined\n");
	return client;
}

void room_leave(struct client *client, int64_t now_ns)
{
	if (client->end != CLIENT_HERE)
		return;
	client->end = CLIENT_LEAVES;
	client->due_ns = now_ns + ROOM_FLUSH_NS;
}

void room_close(struct room *room, int64_t now_ns)
{
	static const char farewell[] = "* the channel is closing\n";

	room->closing = true;
	room_tell(room, NULL, farewell, sizeof(farewell) - 1);
	for (size_t i = 0; i < room->count; i++)
		room_leave(room->clients[i], now_ns);
}

static void room_flush(struct room *room)
{
	for (size_t i = 0; i < room->count; i++) {
		struct client *client = room->clients[i];

		if (!client->blocked &&
			(client->end == CLIENT_HERE || client->end == CLIENT_LEAVES))
			client_flush(client);
	}
}

/* Tells of everybody who left since the last time.  Returns whether there was anybody. */
static bool room_tell_left(struct room *room)
{
	bool any = false;

	for (size_t i = 0; i < room->count; i++) {
		struct client *client = room->clients[i];

		if (client->end == CLIENT_HERE || !client->counted)
			continue;
		client->counted = false;
		any = true;
		if (client->end == CLIENT_SLOW)
			report_slow(client);
		if (!room->closing)
			room_announce(room, client, " left\n");
	}
	return any;
}

/* Whether nothing more is to be done for a client. */
static bool client_done(const struct client *client, int64_t now_ns)
{
	if (client->end == CLIENT_HERE)
		return false;
	return client->end != CLIENT_LEAVES || client->queue.used == 0 || now_ns >= client->due_ns;
}

static struct client *client_swept(struct client *client, int64_t now_ns)
{
	if (client->took)
		client->took_ns = now_ns;
	client->took = false;
	return client;
}

void room_sweep(struct room *room, int64_t now_ns)
{
	size_t kept = 0;

	/* Who is told that somebody left may be found slow or gone by that. */
	do
		room_flush(room);
	while (room_tell_left(room));
	room->told_bytes = 0;
	for (size_t i = 0; i < room->count; i++) {
		struct client *client = room->clients[i];

		if (client_done(client, now_ns))
			client_free(client);
		else
			room->clients[kept++] = client_swept(client, now_ns);
	}
	room->count = kept;
}

static bool client_lags(const struct client *client, int64_t now_ns)
{
	return client->end == CLIENT_HERE && client->blocked &&
	       client->queue.used > client->queue.size / LAG_PART &&
	       now_ns - client->took_ns < READING_NS;
}

int64_t room_patience_ns(const struct room *room, int64_t now_ns)
{
	size_t lagging = 0;

	for (size_t i = 0; i < room->count; i++)
		lagging += client_lags(room->clients[i], now_ns);
	if (lagging == 0)
		return 0;
	return lagging > 1 + room_here(room) / QUORUM_PART ? QUORUM_PATIENCE_NS : PATIENCE_NS;
}

int64_t room_due_ns(const struct room *room)
{
	int64_t due_ns = 0;

	for (size_t i = 0; i < room->count; i++) {
		const struct client *client = room->clients[i];

		if (client->end == CLIENT_LEAVES && (due_ns == 0 || client->due_ns < due_ns))
			due_ns = client->due_ns;
	}
	return due_ns;
}
