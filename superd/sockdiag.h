/*
 * sockdiag: how long TCP connections have been silent, asked of the kernel by address and cookie
 * (sock_diag(7)), without holding their sockets.
 */
#ifndef SUPERD_SOCKDIAG_H
#define SUPERD_SOCKDIAG_H

#include "superd/addr.h"
#include "superd/error.h"

#include <stddef.h>
#include <stdint.h>

struct sockdiag;

enum sockdiag_result {
	SOCKDIAG_FAILED, /* the kernel did not say */
	SOCKDIAG_FOUND,
	SOCKDIAG_GONE, /* no such socket any more */
};

/* One connection. local, peer and cookie are asked with, the others are the answer. */
struct sockdiag_query {
	struct peer local;
	struct peer peer;
	uint64_t cookie; /* sockdiag_cookie() */
	enum sockdiag_result result;
	uint32_t silent_ms; /* since the last byte in either direction; of a connection on which
			       none has moved yet, since it was made or longer */
};

/* Opens the netlink socket. Returns 0, or -1 with *error. */
int sockdiag_new(struct sockdiag **sockdiag, struct error *error);

/* sockdiag may be NULL. */
void sockdiag_free(struct sockdiag *sockdiag);

/*
 * Answers count queries. The kernel answers within the call, so this never waits for anybody.
 * Returns 0, or -1 with *error where the kernel cannot be asked at all.
 */
int sockdiag_ask(struct sockdiag *sockdiag, struct sockdiag_query *queries, size_t count,
	struct error *error);

/* The number by which the kernel knows the socket for ever (SO_COOKIE, socket(7)). Returns 0, or
   -1 with errno. */
int sockdiag_cookie(int fd, uint64_t *cookie);

#endif
