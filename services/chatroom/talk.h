/*
 * talk: what a client sends, done.
 */
#ifndef SERVICES_CHATROOM_TALK_H
#define SERVICES_CHATROOM_TALK_H

#include "services/chatroom/room.h"

#include <stddef.h>
#include <stdint.h>

/* The client has sent a piece of length bytes. */
void talk_hear(
	struct room *room, struct client *client, const char *piece, size_t length, int64_t now_ns);

/*
 * The client has sent its end of file: a last line without an end counts, then it leaves.  What it
 * is still to be sent (the answers to its lines) it gets, for it may have closed but one half.
 */
void talk_end(struct room *room, struct client *client, int64_t now_ns);

#endif
