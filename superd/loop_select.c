/*
 * loop_select: the back end for few descriptors.  Only the words of the sets that hold a watch
 * are copied and scanned, so that a turn costs what is watched, not FD_SETSIZE.
 */
#include "config.h"
#include "superd/loop_backend.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS ((int)(8 * sizeof(unsigned long)))

struct loop_select {
	struct loop_backend base;
	fd_set read;
	fd_set write;
	int end; /* one above the highest descriptor watched */
	uint32_t generation[FD_SETSIZE];
};

static struct loop_select *select_of(struct loop_backend *backend)
{
	return (struct loop_select *)backend;
}

static int select_new(struct loop_backend **backend, struct error *error)
{
	struct loop_select *self = calloc(1, sizeof(*self));

	if (self == NULL)
		return error_set(error, ENOMEM, "cannot make the loop");
	self->base.ops = &loop_select_ops;
	FD_ZERO(&self->read);
	FD_ZERO(&self->write);
	*backend = &self->base;
	return 0;
}

static void select_free(struct loop_backend *backend)
{
	free(backend);
}

static void set_bit(fd_set *set, int fd, bool on)
{
	if (on)
		FD_SET(fd, set);
	else
		FD_CLR(fd, set);
}

static int select_change(struct loop_backend *backend, int fd, uint32_t generation, unsigned from,
	unsigned to, struct error *error)
{
	struct loop_select *self = select_of(backend);

	(void)from;
	if (fd >= FD_SETSIZE)
		return error_set(error, EBADF, "descriptor %d is too high for select", fd);
	set_bit(&self->read, fd, to & LOOP_READ);
	set_bit(&self->write, fd, to & LOOP_WRITE);
	self->generation[fd] = generation;
	if (to != 0 && fd >= self->end)
		self->end = fd + 1;
	while (self->end > 0 && !FD_ISSET(self->end - 1, &self->read) &&
		!FD_ISSET(self->end - 1, &self->write))
		self->end--;
	return 0;
}

static size_t words_of(const struct loop_select *self)
{
	return (size_t)((self->end + WORD_BITS - 1) / WORD_BITS);
}

static unsigned long get_word(const fd_set *set, size_t at)
{
	unsigned long word;

	memcpy(&word, (const char *)set + at * sizeof(word), sizeof(word));
	return word;
}

static unsigned events_of(const fd_set *read, const fd_set *write, int fd)
{
	return (FD_ISSET(fd, read) ? (unsigned)LOOP_READ : 0) |
	       (FD_ISSET(fd, write) ? (unsigned)LOOP_WRITE : 0);
}

static int collect(const struct loop_select *self, const fd_set *read, const fd_set *write,
	struct loop_ready *ready)
{
	int count = 0;

	for (size_t at = 0; at < words_of(self); at++) {
		unsigned long word = get_word(read, at) | get_word(write, at);

		for (; word != 0; word &= word - 1) {
			int fd = (int)at * WORD_BITS + __builtin_ctzl(word);

			ready[count++] = (struct loop_ready){.fd = fd,
				.generation = self->generation[fd],
				.events = events_of(read, write, fd)};
		}
	}
	return count;
}

/*
 * A descriptor was closed under its watch.  select would say EBADF for ever, so the bad ones are
 * reported as ready, and their owners meet the error; the others are asked without waiting.
 */
static int wait_around_bad(struct loop_select *self, struct loop_ready *ready)
{
	struct timeval at_once = {0};
	fd_set read = self->read;
	fd_set write = self->write;
	fd_set good_read = self->read;
	fd_set good_write = self->write;

	for (int fd = 0; fd < self->end; fd++) {
		bool bad =
			events_of(&self->read, &self->write, fd) != 0 && fcntl(fd, F_GETFD) == -1;

		set_bit(bad ? &good_read : &read, fd, false);
		set_bit(bad ? &good_write : &write, fd, false);
	}
	if (select(self->end, &good_read, &good_write, NULL, &at_once) > 0) {
		for (int fd = 0; fd < self->end; fd++) {
			set_bit(&read, fd, FD_ISSET(fd, &read) || FD_ISSET(fd, &good_read));
			set_bit(&write, fd, FD_ISSET(fd, &write) || FD_ISSET(fd, &good_write));
		}
	}
	return collect(self, &read, &write, ready);
}

static int select_wait(struct loop_backend *backend, int64_t timeout_ns, struct loop_ready *ready,
	struct error *error)
{
	struct loop_select *self = select_of(backend);
	size_t size = words_of(self) * sizeof(unsigned long);
	/* rounded up, as waking early would only mean to wait again */
	int64_t timeout_us = timeout_ns / 1000 + (timeout_ns % 1000 > 0);
	struct timeval timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
		.tv_usec = (suseconds_t)(timeout_us % 1000000)};
	fd_set read;
	fd_set write;
	int count;

	assert(size <= sizeof(read));
	memcpy(&read, &self->read, size);
	memcpy(&write, &self->write, size);
	count = select(self->end, &read, &write, NULL, timeout_ns < 0 ? NULL : &timeout);
	if (count > 0)
		return collect(self, &read, &write, ready);
	if (count == 0 || errno == EINTR)
		return 0;
	if (errno == EBADF)
		return wait_around_bad(self, ready);
	return error_set(error, errno, "select");
}

const struct loop_backend_ops loop_select_ops = {
	.kind = LOOP_SELECT,
	.fd_limit = FD_SETSIZE,
	.new = select_new,
	.free = select_free,
	.change = select_change,
	.wait = select_wait,
};
