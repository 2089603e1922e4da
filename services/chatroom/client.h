/*
 * client: one member of the room: its connection, its name, what it has sent and has to be sent.
 */
#ifndef SERVICES_CHATROOM_CLIENT_H
#define SERVICES_CHATROOM_CLIENT_H

#include "services/chatroom/input.h"
#include "services/chatroom/name.h"
#include "services/chatroom/queue.h"
#include "services/chatroom/rate.h"
#include "services/lib/peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Why a client is to leave the room. */
enum client_end {
	CLIENT_HERE,   /* it is not */
	CLIENT_LEAVES, /* it asked for it, sent its end of file, or the channel closes: it is sent
			  what is queued first */
	CLIENT_GONE,   /* its connection failed */
	CLIENT_SLOW,   /* its queue was full */
};

/* "here", "leaves", "gone", "slow". */
const char *client_end_name(enum client_end end);

struct client {
	int in, out; /* one socket; a console's two descriptors */
	enum client_end end;
	bool counted;    /* the others were told that it is here, but not yet that it left */
	bool blocked;    /* its connection takes nothing now: wait for POLLOUT */
	bool took;       /* its connection took something in this round */
	int64_t took_ns; /* the last round in which it did */
	int64_t due_ns;  /* CLIENT_LEAVES: no waiting after this */
	char name[NAME_SIZE];
	char address[PEER_TEXT_SIZE];
	struct rate rate;
	struct queue queue;
	struct input input;
};

/*
 * A client on the descriptors in and out, which it owns from then on, with a queue of
 * queue_bytes.  Returns NULL where there is no memory; the descriptors are still the caller's.
 */
struct client *client_new(int in, int out, const char *address, size_t queue_bytes, int64_t now_ns);

/*
 * Closes its connection and frees it: with an orderly end where all was sent, with a
 * reset otherwise, so that the kernel does not go on offering it what it does not take.
 */
void client_free(struct client *client);

/*
 * Queues a whole message for it, if it is here.  Where there is no room, and the connection does
 * not take anything either, the client becomes CLIENT_SLOW.
 */
void client_send(struct client *client, const char *message, size_t length);

/* client_send() of a string. */
void client_tell(struct client *client, const char *message);

/* Sends what the connection takes without waiting; where it has failed: CLIENT_GONE. */
void client_flush(struct client *client);

/*
 * Reads what has come, one piece.  Returns its length, 0 at end of file, or -1 where nothing has
 * come or the connection has failed (CLIENT_GONE).
 */
ssize_t client_receive(struct client *client, char *piece, size_t size);

#endif
