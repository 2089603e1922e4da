/*
 * queue: what a client has still to be sent, a ring of bytes of fixed size.
 *
 * Every client has its own copy of a message.  Shared, counted messages would save memory where
 * many are slow at once; but then a queue of n bytes could hold any number of short messages, each
 * with its administration, and could not be sent in one call.  A ring is exactly bounded, batches
 * by itself, and copying a line is far cheaper than the send(2) that follows.
 */
#ifndef SERVICES_CHATROOM_QUEUE_H
#define SERVICES_CHATROOM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

/* Treat as opaque, but for used. */
struct queue {
	char *data;
	size_t size;
	size_t start; /* of the oldest byte; 0 whenever it is empty, so that a client that keeps
			 up touches the first page only */
	size_t used;  /* bytes in it */
};

/* An empty queue for size bytes.  Returns 0, or -1 where there is no memory. */
int queue_init(struct queue *queue, size_t size);

/* Gives the memory back. */
void queue_free(struct queue *queue);

/* Bytes that still fit. */
size_t queue_space(const struct queue *queue);

/* Appends all of it or, where it does not fit, nothing and returns false. */
bool queue_push(struct queue *queue, const char *bytes, size_t count);

/* The oldest bytes that lie together: *bytes, valid until the queue changes.  Returns how many. */
size_t queue_peek(const struct queue *queue, const char **bytes);

/* Removes the oldest count bytes, at most used. */
void queue_drop(struct queue *queue, size_t count);

#endif
