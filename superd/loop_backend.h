/*
 * loop_backend: what select and epoll have in common.  Private to superd/loop*.c.
 */
#ifndef SUPERD_LOOP_BACKEND_H
#define SUPERD_LOOP_BACKEND_H

#include "superd/loop.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>

/* Most descriptors that one wait hands out: all that select can know. */
#define LOOP_READY_MAX FD_SETSIZE

/* One ready descriptor, as fetched from the kernel. */
struct loop_ready {
	int fd;
	uint32_t generation; /* of the watch that the event was fetched for */
	unsigned events;     /* enum loop_event */
};

struct loop_backend;

struct loop_backend_ops {
	enum loop_kind kind;
	int fd_limit; /* descriptors from this number on do not fit; INT_MAX: all do */

	/* Makes one, watching nothing.  Returns 0, or -1 with *error. */
	int (*new)(struct loop_backend **backend, struct error *error);
	void (*free)(struct loop_backend *backend);

	/*
	 * Turns what is watched on fd from `from` to `to` (0: nothing), for a watch of that
	 * generation.  Returns 0, or -1 with *error and nothing changed; to == 0 never fails.
	 */
	int (*change)(struct loop_backend *backend, int fd, uint32_t generation, unsigned from,
		unsigned to, struct error *error);

	/*
	 * Waits at most timeout_ns (-1: without end) and fills ready[LOOP_READY_MAX]; never
	 * returns much before the time.  Returns how many (0 after a signal), or -1 with *error.
	 */
	int (*wait)(struct loop_backend *backend, int64_t timeout_ns, struct loop_ready *ready,
		struct error *error);
};

/* Each back end's own struct starts with this. */
struct loop_backend {
	const struct loop_backend_ops *ops;
};

extern const struct loop_backend_ops loop_select_ops;
extern const struct loop_backend_ops loop_epoll_ops;

#endif
