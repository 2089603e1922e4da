/*
 * sockdiag: how long TCP connections have been silent, from the kernel's own accounting.
 *
 * superd hands connections over and keeps no descriptor of them. sock_diag(7) finds a socket by
 * its addresses and its cookie, a number that the kernel gives to one socket and never again.
 * Many are asked about at once, with few system calls.
 */
#ifndef SUPERD_SOCKDIAG_H
#define SUPERD_SOCKDIAG_H

#include "superd/addr.h"
#include "superd/error.h"

#include <stddef.h>
#include <stdint.h>

#define SOCKDIAG_ANY_COOKIE UINT64_MAX

struct sockdiag;

enum sockdiag_result {
	SOCKDIAG_FOUND,  /* silent_ms is known */
	SOCKDIAG_GONE,   /* no process has this socket any more; what lingers of it (TIME_WAIT,
			    FIN_WAIT) counts as gone */
	SOCKDIAG_FAILED, /* not known: not TCP over IPv4 or IPv6, or the kernel was short of memory
			  */
};

/* One connection that was accepted here, and what is known of it. */
struct sockdiag_query {
	struct peer local;   /* getsockname(2); of the same family as peer */
	struct peer peer;    /* getpeername(2), or what accept(2) gave */
	uint64_t cookie;     /* sockdiag_cookie(), or SOCKDIAG_ANY_COOKIE: whichever has these
				addresses now, good enough to look at */
	uint32_t bound;      /* index of the interface it or its listener is bound to by
				SO_BINDTODEVICE, 0: none; without it such a socket seems gone */
	int64_t accepted_ns; /* clock_now_ns() when it was accepted: silence cannot be older */

	enum sockdiag_result result; /* the answer */
	uint32_t silent_ms;          /* since the last byte in either direction, or since
					accepted_ns where that is later; 0 unless found */
};

/* "found", "gone" or "failed". */
const char *sockdiag_result_name(enum sockdiag_result result);

/*
 * Opens the way to the kernel; its descriptor is a long-lived one, its memory about 50 KB. Makes
 * the kernel load its module, so call it before superd is busy. Returns 0 and *diag, which
 * sockdiag_free() gives back, or -1 and *error: also where this kernel tells nothing of TCP
 * sockets, since every one would seem gone.
 */
int sockdiag_new(struct sockdiag **diag, struct error *error);

/* Closes and frees diag; NULL is allowed. */
void sockdiag_free(struct sockdiag *diag);

/*
 * Fills the answers of count queries. The kernel answers while it is asked: nothing is waited
 * for. Returns 0, or -1 and *error where asking itself failed; the queries not answered by then
 * say SOCKDIAG_FAILED. diag is usable again after either.
 *
 * A byte counts when the kernel sends or gets it, and each time it is sent again for want of an
 * acknowledgement; keepalive probes and what waits unsent in a buffer do not. The kernel's clock
 * for this is as coarse as its tick (1 to 10 ms).
 */
int sockdiag_ask(
	struct sockdiag *diag, struct sockdiag_query *queries, size_t count, struct error *error);

/* Stores the cookie of the socket fd. Returns 0, or -1 with errno. */
int sockdiag_cookie(int fd, uint64_t *cookie);

#endif
