/*
 * explain: what the configuration says about one client of one service (superd --explain): the
 * verdict, the rule that decides and the limits that hold.  What runs at the moment is not asked.
 */
#ifndef SUPERD_EXPLAIN_H
#define SUPERD_EXPLAIN_H

#include "superd/addr.h"
#include "superd/conf.h"
#include "superd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

/* So many groups of a user are looked at. */
#define EXPLAIN_GROUPS_MAX 256

/* Who comes. */
struct explain_client {
	struct peer peer;
	size_t group_count;
	gid_t groups[EXPLAIN_GROUPS_MAX]; /* of a unix peer, its own one among them */
};

/*
 * Parses an address ("192.0.2.7", "2001:db8::1", "fe80::1%eth0") or a unix peer ("user:bob",
 * "user:1000"), whose groups are looked up.  Returns 0, or -1 with *error.
 */
int explain_parse(const char *text, struct explain_client *client, struct error *error);

/*
 * Writes to stream, as lines of text, "accept: REASON" or "refuse: REASON" with the place of what
 * decides, and where the client is accepted the limits that hold for it.  now is for `hours`.
 * *accepted is the verdict.  Returns 0, or -1 with *error where there is no such service.
 */
int explain(const struct conf *conf, const char *service, const struct explain_client *client,
	time_t now, FILE *stream, bool *accepted, struct error *error);

#endif
