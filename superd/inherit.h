/*
 * inherit: sockets that superd was given, waiting to be taken by the endpoints they are bound to:
 * by a service manager (LISTEN_FDS, sd_listen_fds(3), spoken directly), or by the superd that ran
 * in this process before.
 */
#ifndef SUPERD_INHERIT_H
#define SUPERD_INHERIT_H

#include "superd/addr.h"
#include "superd/conf.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#define INHERIT_FIRST_FD 3 /* SD_LISTEN_FDS_START */

/* One given socket. */
struct inherit_socket {
	int fd;     /* -1: taken */
	int number; /* of the descriptor as it was given; for messages */
	int type;
	bool lent;             /* see inherit_add() */
	bool used;             /* see inherit_add_used() */
	bool dual;             /* IPv6, and takes IPv4 as well (IPV6_V6ONLY is off) */
	struct addr addr;      /* what it is bound to */
	char device[IFNAMSIZ]; /* SO_BINDTODEVICE; "": none */
	const char *problem;   /* why no endpoint can use it; NULL: one can */
};

/* The pool. Zeroed before the first use; ended with inherit_close_rest(). */
struct inherit {
	struct inherit_socket *sockets;
	size_t count;
	size_t capacity;
	size_t next; /* where the next look-up begins: they come in the order they were given in */
};

enum inherit_result {
	INHERIT_NONE,    /* nothing fits: the caller opens a socket of its own */
	INHERIT_TAKEN,   /* *taken is the caller's */
	INHERIT_COVERED, /* the IPv4 half of an endpoint of both families whose IPv6 half was given
			    as one socket for both: there is nothing to open, taken->fd is -1 */
};

struct inherit_taken {
	int fd;    /* the caller's to close; close-on-exec, at 256 or above */
	bool lent; /* its giver holds it too: its unix name is not superd's to remove */
	bool used; /* it has its options already: see inherit_add_used() */
};

/*
 * Adds the socket fd, which is the pool's from now on: made close-on-exec and moved to 256 or
 * above. lent: who gave it holds it too, so that its unix name is not superd's to remove, and
 * closing it turns nobody away. A stream may not listen yet: that is left to who takes it. One
 * that no endpoint can use (no socket, a connection, not bound) is kept for inherit_close_rest()
 * to tell of. Returns 0, or -1 (out of memory; fd is closed).
 */
int inherit_add(struct inherit *pool, int fd, bool lent);

/*
 * The same for one that an endpoint of superd's has used already, and for which a program may have
 * it now: it is taken as it is, whatever that program has made of it.
 */
int inherit_add_used(struct inherit *pool, int fd, bool lent);

/*
 * Takes what LISTEN_FDS and LISTEN_PID say that this process was given, from descriptor 3 on,
 * and removes these variables and LISTEN_FDNAMES from the environment. Returns 0; or -1 where
 * the variables are this process's and mean nothing, or a descriptor is not open, or memory is
 * out: *problem says which, the text lives for ever.
 */
int inherit_listen_fds(struct inherit *pool, const char **problem);

/*
 * The given socket that is bound to what socket says: family, type, address and port or name, and
 * device (NULL: none). *taken is set unless the result is INHERIT_NONE.
 */
enum inherit_result inherit_take(struct inherit *pool, const struct conf_socket *socket,
	const char *device, struct inherit_taken *taken);

/* Whether inherit_take() would find anything but INHERIT_NONE. */
bool inherit_has(const struct inherit *pool, const struct conf_socket *socket, const char *device);

/* Closes what was not taken, tells of each ("descriptor 3 (tcp 127.0.0.1:7) ..."; unused_cb may be
   NULL), and empties the pool, which may be used again. */
void inherit_close_rest(
	struct inherit *pool, void (*unused_cb)(void *owner, const char *text), void *owner);

#endif
