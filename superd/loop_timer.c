/*
 * loop_timer: a binary heap.  Each timer knows its place, so that stopping one needs no search.
 */
#include "config.h"
#include "superd/loop_timer.h"

#include <assert.h>
#include <stdlib.h>

static void place(struct loop_timers *timers, size_t at, struct loop_timer_entry entry)
{
	timers->heap[at] = entry;
	entry.timer->slot = at + 1;
}

/* Keys are equal where overdue timers were raised to the floor: the true time decides. */
static bool is_before(const struct loop_timer_entry *a, const struct loop_timer_entry *b)
{
	if (a->key_ns != b->key_ns)
		return a->key_ns < b->key_ns;
	return a->timer->due_ns < b->timer->due_ns;
}

/* Puts entry where the order wants it, starting from the free place `at`. */
static void sift(struct loop_timers *timers, size_t at, struct loop_timer_entry entry)
{
	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (!is_before(&entry, &timers->heap[parent]))
			break;
		place(timers, at, timers->heap[parent]);
		at = parent;
	}
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < timers->count &&
			is_before(&timers->heap[child + 1], &timers->heap[child]))
			child++;
		if (child >= timers->count || !is_before(&timers->heap[child], &entry))
			break;
		place(timers, at, timers->heap[child]);
		at = child;
	}
	place(timers, at, entry);
}

static int make_room(struct loop_timers *timers)
{
	size_t room = timers->room == 0 ? 64 : 2 * timers->room;
	struct loop_timer_entry *heap;

	if (timers->count < timers->room)
		return 0;
	heap = reallocarray(timers->heap, room, sizeof(*heap));
	if (heap == NULL)
		return -1;
	timers->heap = heap;
	timers->room = room;
	return 0;
}

void loop_timers_free(struct loop_timers *timers)
{
	free(timers->heap);
	*timers = (struct loop_timers){0};
}

int loop_timers_start(struct loop_timers *timers, struct loop_timer *timer, int64_t due_ns)
{
	struct loop_timer_entry entry = {.key_ns = due_ns, .timer = timer};
	size_t at;

	if (timer->slot == 0 && make_room(timers) == -1)
		return -1;
	if (timers->firing && due_ns < timers->floor_ns)
		entry.key_ns = timers->floor_ns;
	timer->due_ns = due_ns;
	if (timer->slot != 0) {
		at = timer->slot - 1;
		assert(at < timers->count && timers->heap[at].timer == timer);
	} else {
		at = timers->count++;
	}
	sift(timers, at, entry);
	return 0;
}

void loop_timers_stop(struct loop_timers *timers, struct loop_timer *timer)
{
	size_t at;

	if (timer->slot == 0)
		return;
	at = timer->slot - 1;
	assert(at < timers->count && timers->heap[at].timer == timer);
	timer->slot = 0;
	timers->count--;
	if (at < timers->count)
		sift(timers, at, timers->heap[timers->count]);
}

void loop_timers_fire(struct loop_timers *timers, int64_t now_ns)
{
	timers->firing = true;
	timers->floor_ns = now_ns + 1;
	while (timers->count > 0 && timers->heap[0].key_ns <= now_ns) {
		struct loop_timer *timer = timers->heap[0].timer;

		loop_timers_stop(timers, timer);
		timer->fire_cb(timer);
	}
	timers->firing = false;
}
