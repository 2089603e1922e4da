/*
 * loop_timer: the loop's timers, a binary heap by due time.  Private to superd/loop*.c.
 */
#ifndef SUPERD_LOOP_TIMER_H
#define SUPERD_LOOP_TIMER_H

#include "superd/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place in the heap; the key lies beside the pointer so that sifting touches no timer. */
struct loop_timer_entry {
	int64_t key_ns;
	struct loop_timer *timer;
};

/* All zero is an empty one. */
struct loop_timers {
	struct loop_timer_entry *heap; /* owned */
	size_t count;
	size_t room;
	int64_t floor_ns; /* least key of what is started now; see loop_timers_fire() */
	bool firing;
};

/* Frees the heap; timers stay their owners'. */
void loop_timers_free(struct loop_timers *timers);

/* Starts or moves a timer.  Returns 0, or -1 (out of memory; a running timer stays as it was). */
int loop_timers_start(struct loop_timers *timers, struct loop_timer *timer, int64_t due_ns);

/* Idempotent. */
void loop_timers_stop(struct loop_timers *timers, struct loop_timer *timer);

/* Fires in order of time what is due at now_ns.  What a fire_cb starts waits for the next call,
   however long ago it was due, so that no chain of timers holds up the loop. */
void loop_timers_fire(struct loop_timers *timers, int64_t now_ns);

#endif
