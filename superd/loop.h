/*
 * loop: waits for descriptors, timers and signals, and calls back.  One thread, level-triggered.
 *
 * Two back ends stand behind this header: select(2), which serves while every descriptor fits
 * FD_SETSIZE, and epoll(7), to which a loop of kind LOOP_AUTO moves by itself the first time
 * one does not.  Watches and timers are embedded in their owners; the loop never allocates for
 * them one by one and never frees them.
 */
#ifndef SUPERD_LOOP_H
#define SUPERD_LOOP_H

#include "superd/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

enum loop_kind { LOOP_AUTO, LOOP_SELECT, LOOP_EPOLL };

/* "auto", "select", "epoll". */
const char *loop_kind_name(enum loop_kind kind);

enum loop_event { LOOP_READ = 1, LOOP_WRITE = 2 };

/* One descriptor under watch.  The owner sets fd and ready_cb before the first start. */
struct loop_watch {
	int fd;
	void (*ready_cb)(struct loop_watch *watch, unsigned events); /* events: what is ready;
				an error or hang-up on fd counts as ready for what is watched */
	unsigned events; /* what is watched (enum loop_event); 0: stopped.  Set by the loop only */
};

/* One deadline.  The owner sets fire_cb before the first start; it fires once per start. */
struct loop_timer {
	void (*fire_cb)(struct loop_timer *timer);
	int64_t due_ns; /* monotonic; valid while started */
	size_t slot;    /* place in the loop's heap + 1; 0: not started */
};

/*
 * Makes a loop.  *loop is the caller's to loop_free().  Returns 0, or -1 with *error.
 */
int loop_new(enum loop_kind kind, struct loop **loop, struct error *error);

/* Frees the loop and its own descriptors; watches and timers stay their owners'. */
void loop_free(struct loop *loop);

/* The back end in use now: LOOP_SELECT or LOOP_EPOLL. */
enum loop_kind loop_kind(const struct loop *loop);

/*
 * Watches watch->fd for events (LOOP_READ | LOOP_WRITE) from now on; a started watch is
 * changed, the same events again cost nothing, and 0 stops it.  Returns 0, or -1 with *error
 * and all as it was (ENOMEM, ENOSPC; EPERM: epoll takes no regular file; EBADF where
 * --loop=select was forced and fd does not fit).
 */
int loop_watch_start(
	struct loop *loop, struct loop_watch *watch, unsigned events, struct error *error);

/*
 * Ends it; must be called before the fd is closed.  Idempotent, and safe from any callback: an
 * event that was already fetched for this watch is dropped.
 */
void loop_watch_stop(struct loop *loop, struct loop_watch *watch);

/* Starts or moves the timer to due_ns (monotonic).  Returns 0, or -1 (out of memory). */
int loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t due_ns);

/* Idempotent. */
void loop_timer_stop(struct loop *loop, struct loop_timer *timer);

/*
 * From now on the signals of set are blocked and signal_cb is called for each that arrives
 * (signalfd(2)); equal signals pending at once are merged by the kernel.  Once per loop.
 * Returns 0, or -1 with *error.
 */
int loop_signals_start(struct loop *loop, const sigset_t *set,
	void (*signal_cb)(void *owner, int signal, pid_t sender), void *owner, struct error *error);

/* turn_cb is called at the end of every turn, after all callbacks and before the next wait. */
void loop_set_turn_cb(struct loop *loop, void (*turn_cb)(void *owner), void *owner);

/*
 * Monotonic time, read once a turn right after the wait (and at loop_new): cheap, and equal for
 * everything that one turn does.
 */
int64_t loop_now_ns(const struct loop *loop);

/*
 * One turn: waits for the first event or timer (not at all where one is due), fires, calls
 * turn_cb.  Returns 0, or -1 with *error where the wait itself failed (never EINTR).
 */
int loop_turn(struct loop *loop, struct error *error);

#endif
