/*
 * echo: sends back what it reads until the client half-closes (RFC 862).
 *
 * Usually a small buffer does, and a client that reads slowly is read slowly.  But a client may
 * send all it has before it reads anything; then both ends would wait for the other.  So when the
 * buffer is full and the client has taken nothing for a while, it grows to QUEUE_LARGE, once, until
 * it is empty again.  Where memory is limited to less, it stays small.
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/serve.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define QUEUE_SMALL 262144
#define QUEUE_LARGE (16 * 1024 * 1024)
#define STALL_MS 200

/* Bytes read and not sent yet: a ring in data, or in small. */
struct queue {
	char *data;
	size_t size;
	size_t start; /* of what is queued */
	size_t used;
	bool stuck; /* it could not grow */
	char small[QUEUE_SMALL];
};

static void queue_reset(struct queue *queue)
{
	if (queue->data != queue->small && queue->size == QUEUE_LARGE)
		munmap(queue->data, queue->size);
	queue->data = queue->small;
	queue->size = sizeof(queue->small);
	queue->start = 0;
}

/* Moves what is queued, the whole small ring, to a large one. */
static void queue_grow(struct queue *queue)
{
	void *large =
		mmap(NULL, QUEUE_LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t tail = queue->size - queue->start;

	if (large == MAP_FAILED) {
		queue->stuck = true;
		return;
	}
	memcpy(large, queue->data + queue->start, tail);
	memcpy((char *)large + tail, queue->data, queue->start);
	queue->data = large;
	queue->size = QUEUE_LARGE;
	queue->start = 0;
}

/* Reads what has come into the free piece behind the queue.  As io_read(). */
static ssize_t queue_fill(struct queue *queue, struct io_deadline *now)
{
	size_t end = (queue->start + queue->used) % queue->size;
	size_t room = end < queue->start ? queue->start - end : queue->size - end;
	ssize_t got = io_read(STDIN_FILENO, queue->data + end, room, now);

	if (got > 0)
		queue->used += (size_t)got;
	return got;
}

/* Sends what fits of the first piece of the queue.  As io_write(). */
static ssize_t queue_drain(struct queue *queue, struct io_deadline *now)
{
	size_t piece = queue->size - queue->start;
	ssize_t put;

	if (piece > queue->used)
		piece = queue->used;
	put = io_write(STDOUT_FILENO, queue->data + queue->start, piece, now);
	if (put <= 0)
		return put;
	queue->start = (queue->start + (size_t)put) % queue->size;
	queue->used -= (size_t)put;
	if (queue->used == 0)
		queue_reset(queue);
	return put;
}

/* Waits until one of the directions can go on, or makes room.  0, or -1 with errno. */
static int queue_wait(struct queue *queue, bool ended, int idle_ms)
{
	bool full = queue->used == queue->size;
	bool may_grow = full && !ended && queue->size == QUEUE_SMALL && !queue->stuck;
	struct io_deadline deadline = io_deadline_idle(
		may_grow && (idle_ms < 0 || idle_ms > STALL_MS) ? STALL_MS : idle_ms);
	struct pollfd watches[] = {
		{.fd = ended || full ? -1 : STDIN_FILENO, .events = POLLIN},
		{.fd = queue->used > 0 ? STDOUT_FILENO : -1, .events = POLLOUT},
	};

	if (io_wait_any(watches, 2, &deadline) == 0)
		return 0;
	if (errno != ETIMEDOUT || !may_grow)
		return -1;
	queue_grow(queue);
	return 0;
}

static int echo_stream(const struct serve *serve)
{
	static struct queue queue;
	struct io_deadline now = io_deadline_idle(0);
	bool ended = false;

	queue_reset(&queue);
	while (!ended || queue.used > 0) {
		bool moved = false;

		if (!ended && queue.used < queue.size) {
			ssize_t got = queue_fill(&queue, &now);

			if (got < 0 && errno != ETIMEDOUT)
				return serve_failed("read");
			ended = got == 0;
			moved = got >= 0;
		}
		if (queue.used > 0) {
			ssize_t put = queue_drain(&queue, &now);

			if (put < 0 && errno != ETIMEDOUT)
				return serve_failed("write");
			moved = moved || put > 0;
		}
		if (!moved && queue_wait(&queue, ended, serve->idle_ms) != 0)
			return serve_failed("waiting for the client");
	}
	return STATUS_DONE;
}

static ssize_t echo_datagram(const struct serve *serve, char *data, size_t length, size_t size)
{
	(void)serve;
	(void)data;
	(void)size;
	return (ssize_t)length;
}

int main(int argc, char **argv)
{
	static const struct service echo = {
		.summary = "sends back what it reads until the client half-closes (RFC 862)",
		.stream_cb = echo_stream,
		.datagram_cb = echo_datagram,
	};

	return serve_main(&echo, argc, argv);
}
