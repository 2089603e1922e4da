/*
 * room: those who are here, and what all of them are told.
 *
 * Nobody is removed while the list is gone through: a client that is to leave is marked
 * (enum client_end), and room_sweep() removes it at the end of the round.
 */
#ifndef SERVICES_CHATROOM_ROOM_H
#define SERVICES_CHATROOM_ROOM_H

#include "services/chatroom/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long a client that leaves may take for what is still queued for it. */
#define ROOM_FLUSH_NS INT64_C(3000000000)

/* Longest message with its newline, whatever a line makes of it. */
#define ROOM_MESSAGE_SIZE (INPUT_MAX_LENGTH + 64)

struct room {
	struct client **clients;
	size_t count;       /* of clients, with those who are leaving */
	size_t capacity;    /* how many may be here */
	size_t queue_bytes; /* of each client, at least ROOM_MESSAGE_SIZE */
	uint64_t guests;    /* number of the latest guest */
	bool closing;       /* nobody comes any more */
	size_t told_bytes;  /* what all were told in this round */
};

/* An empty room for capacity clients.  Returns 0, or -1 where there is no memory. */
int room_open(struct room *room, size_t capacity, size_t queue_bytes);

/* Removes whoever is there and gives the memory back. */
void room_free(struct room *room);

/*
 * Somebody comes, with descriptors that the room owns from then on, is told its address and named
 * guest1, guest2, ...; the others are told.  Returns NULL where the room is full or there is no
 * memory (errno is ENOMEM then, otherwise 0); the descriptors are still the caller's.
 */
struct client *room_join(struct room *room, int in, int out, const char *address, int64_t now_ns);

/* Tells everybody but one (NULL: everybody). */
void room_tell(struct room *room, const struct client *except, const char *message, size_t length);

/* Who is called so; NULL: nobody. */
struct client *room_find(const struct room *room, const char *name);

/* How many are here, without those who are leaving. */
size_t room_here(const struct room *room);

/* The client leaves in order: what is queued for it until now is sent first. */
void room_leave(struct client *client, int64_t now_ns);

/* "* the channel is closing": everybody leaves, and nobody comes any more. */
void room_close(struct room *room, int64_t now_ns);

/*
 * The end of a round: sends what is queued, tells who left, removes those who are done; of
 * those that were dropped there is a log line.
 */
void room_sweep(struct room *room, int64_t now_ns);

/*
 * How long nobody should be heard, because some of those who read cannot keep up with what is
 * said: for a single one a moment that nobody notices, for a good part of the room longer; 0:
 * not at all.  Those who do not read at all do not count.
 */
int64_t room_patience_ns(const struct room *room, int64_t now_ns);

/* When room_sweep() has to be called at the latest, for those who are leaving; 0: never. */
int64_t room_due_ns(const struct room *room);

#endif
