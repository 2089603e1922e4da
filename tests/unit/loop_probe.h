/*
 * loop_probe: what the tests of the loop share: a watch that counts, and a table run over both
 * back ends.
 */
#ifndef TESTS_UNIT_LOOP_PROBE_H
#define TESTS_UNIT_LOOP_PROBE_H

#include "superd/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A watch that counts, and does what its test wants. */
struct probe {
	struct loop_watch watch; /* first */
	struct loop *loop;
	unsigned calls;
	unsigned events; /* of the last call */
	void (*then)(struct probe *self);
	struct probe *other; /* for `then` */
	int fd;              /* for `then` */
	int64_t now_ns;      /* by `then` */
};

/* Makes a loop, or fails the test. */
struct loop *probe_loop(enum loop_kind kind);

/* One turn; an error fails the test. */
void probe_turn(struct loop *loop);

/* A turn that ends though nothing is ready. */
void probe_turn_at_once(struct loop *loop);

/* Watches fd from now on, or changes what is watched. */
void probe_watch(struct loop *loop, struct probe *probe, int fd, unsigned events);

/* A non-blocking pipe, a byte into it, and its end. */
void pipe_make(int ends[2]);
void pipe_put(int fd);
void pipe_close(const int ends[2]);

/* A fire_cb that does nothing. */
void probe_no_fire(struct loop_timer *timer);

/* A fire_cb that counts in struct again, and starts its timer again, long overdue. */
struct again {
	struct loop_timer timer; /* first */
	struct loop *loop;
	unsigned fired;
};
void probe_fire_again(struct loop_timer *timer);

/* Whether descriptors above FD_SETSIZE can be had; raises RLIMIT_NOFILE where that helps. */
bool probe_allow_high(void);

/* Runs each case over select and over epoll; returns how many failed. */
struct loop_case {
	const char *name;
	void (*run)(enum loop_kind kind);
};
int probe_run_both(const struct loop_case *cases, size_t count);

#endif
