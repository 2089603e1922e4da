/*
 * limit: how many connections each source has open, for one service.
 *
 * Records exist only while their source has something running, so the table is bounded by the
 * number of live programs.
 */
#ifndef SUPERD_LIMIT_H
#define SUPERD_LIMIT_H

#include "superd/addr.h"

#include <stddef.h>
#include <stdint.h>

struct limit;

/* Makes an empty table; NULL where memory is out. */
struct limit *limit_new(void);

void limit_free(struct limit *limit);

/* Connections that peer's source has open: an IPv4 address, an IPv6 /64, a unix user. */
uint32_t limit_running(const struct limit *limit, const struct peer *peer);

/* One more. Returns 0, or -1 (out of memory; nothing is counted then). */
int limit_commit(struct limit *limit, const struct peer *peer);

/* One less; each follows a commit that returned 0. */
void limit_release(struct limit *limit, const struct peer *peer);

#endif
