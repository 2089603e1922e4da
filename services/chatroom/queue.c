/*
 * queue: what a client has still to be sent, a ring of bytes of fixed size.
 */
#include "config.h"

#include "services/chatroom/queue.h"

#include <stdlib.h>
#include <string.h>

int queue_init(struct queue *queue, size_t size)
{
	*queue = (struct queue){.data = malloc(size), .size = size};
	return queue->data != NULL ? 0 : -1;
}

void queue_free(struct queue *queue)
{
	free(queue->data);
	*queue = (struct queue){0};
}

size_t queue_space(const struct queue *queue)
{
	return queue->size - queue->used;
}

bool queue_push(struct queue *queue, const char *bytes, size_t count)
{
	size_t end = queue->start + queue->used;
	size_t together;

	if (count > queue_space(queue))
		return false;
	if (end >= queue->size)
		end -= queue->size;
	together = queue->size - end;
	if (together > count)
		together = count;
	memcpy(queue->data + end, bytes, together);
	memcpy(queue->data, bytes + together, count - together);
	queue->used += count;
	return true;
}

size_t queue_peek(const struct queue *queue, const char **bytes)
{
	size_t together = queue->size - queue->start;

	*bytes = queue->data + queue->start;
	return queue->used < together ? queue->used : together;
}

void queue_drop(struct queue *queue, size_t count)
{
	queue->used -= count;
	queue->start += count;
	if (queue->start >= queue->size)
		queue->start -= queue->size;
	if (queue->used == 0)
		queue->start = 0;
}
