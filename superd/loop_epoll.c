/*
 * loop_epoll: the back end for many descriptors.
 */
#include "config.h"
#include "superd/loop_backend.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "superd/clock.h"
#include "superd/descriptor.h"

/* One wait fetches so many at most; what is left comes first in the next, as the kernel keeps
   its ready list in turn. */
#define BATCH 256

struct loop_epoll {
	struct loop_backend base;
	int fd;
};

static struct loop_epoll *epoll_of(struct loop_backend *backend)
{
	return (struct loop_epoll *)backend;
}

static int epoll_new(struct loop_backend **backend, struct error *error)
{
	struct loop_epoll *self = malloc(sizeof(*self));

	if (self == NULL)
		return error_set(error, ENOMEM, "cannot make the loop");
	self->base.ops = &loop_epoll_ops;
	self->fd = descriptor_raise(epoll_create1(EPOLL_CLOEXEC));
	if (self->fd == -1) {
		error_set(error, errno, "epoll_create1");
		free(self);
		return -1;
	}
	*backend = &self->base;
	return 0;
}

static void epoll_free(struct loop_backend *backend)
{
	close(epoll_of(backend)->fd);
	free(backend);
}

static int epoll_change(struct loop_backend *backend, int fd, uint32_t generation, unsigned from,
	unsigned to, struct error *error)
{
	struct epoll_event event = {0};
	int op = from == 0 ? EPOLL_CTL_ADD : to == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (to & LOOP_READ)
		event.events |= EPOLLIN;
	if (to & LOOP_WRITE)
		event.events |= EPOLLOUT;
	event.data.u64 = (uint64_t)generation << 32 | (uint32_t)fd;
	if (epoll_ctl(epoll_of(backend)->fd, op, fd, &event) == 0 || to == 0)
		return 0;
	return error_set(error, errno, "cannot watch descriptor %d with epoll", fd);
}

/* Rounded up: waking early would only mean to wait again with a timeout of 0, spinning. */
static int to_ms(int64_t timeout_ns)
{
	if (timeout_ns < 0)
		return -1;
	if (timeout_ns > (INT_MAX - 1) * CLOCK_NS_PER_MS)
		return INT_MAX;
	return (int)((timeout_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS);
}

static unsigned to_events(uint32_t events)
{
	unsigned ready = 0;

	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		ready |= LOOP_READ;
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		ready |= LOOP_WRITE;
	return ready;
}

static int epoll_wait_ready(struct loop_backend *backend, int64_t timeout_ns,
	struct loop_ready *ready, struct error *error)
{
	struct epoll_event events[BATCH];
	int count = epoll_wait(epoll_of(backend)->fd, events, BATCH, to_ms(timeout_ns));

	if (count == -1)
		return errno == EINTR ? 0 : error_set(error, errno, "epoll_wait");
	for (int i = 0; i < count; i++)
		ready[i] = (struct loop_ready){.fd = (int)(uint32_t)events[i].data.u64,
			.generation = (uint32_t)(events[i].data.u64 >> 32),
			.events = to_events(events[i].events)};
	return count;
}

const struct loop_backend_ops loop_epoll_ops = {
	.kind = LOOP_EPOLL,
	.fd_limit = INT_MAX,
	.new = epoll_new,
	.free = epoll_free,
	.change = epoll_change,
	.wait = epoll_wait_ready,
};
