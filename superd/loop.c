/*
 * loop: the table from descriptor to watch, and the turn.
 *
 * An event that was fetched must not reach a watch that did not exist when it was: each start
 * gives the table's place a new generation, and events carry the one they were fetched for.
 */
#include "config.h"
#include "superd/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include "superd/clock.h"
#include "superd/loop_backend.h"
#include "superd/loop_signal.h"
#include "superd/loop_timer.h"

struct loop_slot {
	struct loop_watch *watch; /* NULL: the descriptor is not watched */
	uint32_t generation;      /* changes with every start */
};

struct loop {
	struct loop_backend *backend;
	bool may_move; /* from select to epoll */
	bool in_turn;
	struct loop_slot *slots; /* by descriptor; grows with the highest one watched */
	size_t slot_count;
	struct loop_timers timers;
	struct loop_signals signals;
	void (*turn_cb)(void *owner);
	void *turn_owner;
	int64_t now_ns;
	unsigned begin; /* moves on with every turn that has several descriptors ready */
	struct loop_ready ready[LOOP_READY_MAX];
};

const char *loop_kind_name(enum loop_kind kind)
{
	switch (kind) {
	case LOOP_AUTO:
		return "auto";
	case LOOP_SELECT:
		return "select";
	case LOOP_EPOLL:
		return "epoll";
	}
	return "unknown";
}

int loop_new(enum loop_kind kind, struct loop **loop, struct error *error)
{
	const struct loop_backend_ops *ops =
		kind == LOOP_EPOLL ? &loop_epoll_ops : &loop_select_ops;
	struct loop *self = calloc(1, sizeof(*self));

	if (self == NULL)
		return error_set(error, ENOMEM, "cannot make the loop");
	if (ops->new (&self->backend, error) == -1) {
		free(self);
		return -1;
	}
	self->may_move = kind == LOOP_AUTO;
	self->signals.watch.fd = -1;
	self->now_ns = clock_now_ns();
	*loop = self;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	loop->backend->ops->free(loop->backend);
	loop_signals_close(&loop->signals);
	loop_timers_free(&loop->timers);
	free(loop->slots);
	free(loop);
}

enum loop_kind loop_kind(const struct loop *loop)
{
	return loop->backend->ops->kind;
}

static int make_slot(struct loop *loop, int fd, struct error *error)
{
	size_t count = loop->slot_count == 0 ? 64 : loop->slot_count;
	struct loop_slot *slots;

	if ((size_t)fd < loop->slot_count)
		return 0;
	while (count <= (size_t)fd)
		count *= 2;
	slots = reallocarray(loop->slots, count, sizeof(*slots));
	if (slots == NULL)
		return error_set(error, ENOMEM, "cannot watch descriptor %d", fd);
	for (size_t i = loop->slot_count; i < count; i++)
		slots[i] = (struct loop_slot){0};
	loop->slots = slots;
	loop->slot_count = count;
	return 0;
}

/* Moves every watch to epoll; where one cannot go, all stay. */
static int move_to_epoll(struct loop *loop, struct error *error)
{
	struct loop_backend *epoll;

	if (loop_epoll_ops.new(&epoll, error) == -1)
		return -1;
	for (size_t fd = 0; fd < loop->slot_count; fd++) {
		const struct loop_slot *slot = &loop->slots[fd];

		if (slot->watch != NULL && loop_epoll_ops.change(epoll, (int)fd, slot->generation,
						   0, slot->watch->events, error) == -1) {
			loop_epoll_ops.free(epoll);
			return -1;
		}
	}
	loop->backend->ops->free(loop->backend);
	loop->backend = epoll;
	return 0;
}

int loop_watch_start(
	struct loop *loop, struct loop_watch *watch, unsigned events, struct error *error)
{
	const struct loop_backend_ops *ops = loop->backend->ops;
	struct loop_slot *slot;

	assert((events & ~(unsigned)(LOOP_READ | LOOP_WRITE)) == 0);
	if (events == watch->events)
		return 0;
	if (events == 0) {
		loop_watch_stop(loop, watch);
		return 0;
	}
	if (watch->fd < 0)
		return error_set(error, EBADF, "cannot watch descriptor %d", watch->fd);
	if (watch->fd >= ops->fd_limit && loop->may_move && move_to_epoll(loop, error) == -1)
		return -1;
	ops = loop->backend->ops;
	if (watch->fd >= ops->fd_limit)
		return error_set(error, EBADF, "descriptor %d is too high for %s", watch->fd,
			loop_kind_name(ops->kind));
	if (make_slot(loop, watch->fd, error) == -1)
		return -1;
	slot = &loop->slots[watch->fd];
	assert(slot->watch == (watch->events == 0 ? NULL : watch));
	if (ops->change(loop->backend, watch->fd, slot->generation + (watch->events == 0),
		    watch->events, events, error) == -1)
		return -1;
	slot->generation += watch->events == 0;
	slot->watch = watch;
	watch->events = events;
	return 0;
}

void loop_watch_stop(struct loop *loop, struct loop_watch *watch)
{
	struct loop_slot *slot;

	if (watch->events == 0)
		return;
	slot = &loop->slots[watch->fd];
	assert((size_t)watch->fd < loop->slot_count && slot->watch == watch);
	loop->backend->ops->change(
		loop->backend, watch->fd, slot->generation, watch->events, 0, NULL);
	slot->watch = NULL;
	watch->events = 0;
}

int loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t due_ns)
{
	return loop_timers_start(&loop->timers, timer, due_ns);
}

void loop_timer_stop(struct loop *loop, struct loop_timer *timer)
{
	loop_timers_stop(&loop->timers, timer);
}

int loop_signals_start(struct loop *loop, const sigset_t *set,
	void (*signal_cb)(void *owner, int signal, pid_t sender), void *owner, struct error *error)
{
	assert(loop->signals.watch.fd == -1);
	if (loop_signals_open(&loop->signals, set, error) == -1)
		return -1;
	loop->signals.signal_cb = signal_cb;
	loop->signals.owner = owner;
	if (loop_watch_start(loop, &loop->signals.watch, LOOP_READ, error) == -1) {
		loop_signals_close(&loop->signals);
		return -1;
	}
	return 0;
}

void loop_set_turn_cb(struct loop *loop, void (*turn_cb)(void *owner), void *owner)
{
	loop->turn_cb = turn_cb;
	loop->turn_owner = owner;
}

int64_t loop_now_ns(const struct loop *loop)
{
	return loop->now_ns;
}

/* Measured from now, not from the turn's begin: callbacks may have taken long. */
static int64_t get_timeout(const struct loop *loop)
{
	int64_t due;
	int64_t now;

	if (loop->timers.count == 0)
		return -1;
	due = loop->timers.heap[0].key_ns;
	now = clock_now_ns();
	return due <= now ? 0 : due - now;
}

static void dispatch(struct loop *loop, const struct loop_ready *ready)
{
	const struct loop_slot *slot = &loop->slots[ready->fd];
	unsigned events;

	if (slot->watch == NULL || slot->generation != ready->generation)
		return; /* stopped by an earlier callback of this turn */
	events = ready->events & slot->watch->events;
	if (events != 0)
		slot->watch->ready_cb(slot->watch, events);
}

/*
 * Each turn begins elsewhere among what is ready. Both back ends list it in the same order every
 * time (select by number), so a listener under flood could come before another one for ever.
 */
static void dispatch_all(struct loop *loop, int count)
{
	int begin = count > 1 ? (int)(loop->begin++ % (unsigned)count) : 0;

	for (int i = begin; i < count; i++)
		dispatch(loop, &loop->ready[i]);
	for (int i = 0; i < begin; i++)
		dispatch(loop, &loop->ready[i]);
}

int loop_turn(struct loop *loop, struct error *error)
{
	int count;

	assert(!loop->in_turn);
	count = loop->backend->ops->wait(loop->backend, get_timeout(loop), loop->ready, error);
	if (count == -1)
		return -1;
	loop->now_ns = clock_now_ns();
	loop->in_turn = true;
	/* descriptors before timers: after a standstill, what has come in meanwhile still counts */
	dispatch_all(loop, count);
	loop_timers_fire(&loop->timers, loop->now_ns);
	if (loop->turn_cb != NULL)
		loop->turn_cb(loop->turn_owner);
	loop->in_turn = false;
	return 0;
}
