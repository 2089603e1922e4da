/*
 * limit: how many connections each source has open and how fast it may make new ones, for one
 * service.
 *
 * A source is an address cut to source-prefix4/6, or a unix user.  A rate is a token bucket of
 * `burst` tokens, one each for the service and for every source.  Checking changes nothing;
 * a commit takes the tokens and counts; a release counts down.  Time is a parameter: any
 * monotonic clock that does not start below zero.
 *
 * One bounded table.  A source with something running always has its record, and those are as
 * many as live programs.  One with nothing running is remembered only for the tokens it owes: at
 * most LIMIT_IDLE_MAX such records are kept, and where there are more, the one whose bucket is
 * full soonest goes first.  Why no flood can use that:
 *
 * - A refused connection makes no record, so refusing never costs memory, and an accepted one
 *   needs a finished handshake and a program.
 * - A record whose bucket is full again says nothing that an absent one does not: dropping it
 *   loses nothing.  Those always go before any that owes tokens.
 * - Where all of them owe, the one that owes least goes.  Who behaves owes least, and being
 *   forgotten gives him a full bucket: a flood of sources can only make it easier for him to get
 *   in.  Who floods hardest is remembered longest.
 * - A full table refuses nobody.  What many sources may do together is for `rate` and
 *   `instances` to say, as it would be with a table without bounds: in either, each new source
 *   begins with a full bucket.
 * - The places of the hash are drawn at random, so that nobody can aim at one chain.
 */
#ifndef SUPERD_LIMIT_H
#define SUPERD_LIMIT_H

#include "superd/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sources that are remembered with nothing running. */
#define LIMIT_IDLE_MAX 4096

/* `count` in period_ns; count 0: no limit. */
struct limit_rate {
	uint32_t count;
	int64_t period_ns;
};

/* The part of a service's configuration that is about sources. */
struct limit_policy {
	unsigned per_source; /* at once; 0: no limit */
	bool local_exempt;   /* per_source is not for loopback and unix peers: it was not set */
	struct limit_rate rate;
	struct limit_rate per_source_rate;
	unsigned burst;          /* tokens of a full bucket, at least 1 */
	unsigned source_prefix4; /* 0..32 */
	unsigned source_prefix6; /* 0..128 */
};

enum limit_verdict {
	LIMIT_OK,
	LIMIT_PER_SOURCE,      /* as many open as one source may have */
	LIMIT_PER_SOURCE_RATE, /* the source's bucket is empty */
	LIMIT_RATE,            /* the service's is */
};

struct limit;

/* Makes an empty table that refuses nobody (prefixes 32 and 64); NULL where memory is out. */
struct limit *limit_new(void);

void limit_free(struct limit *limit);

/*
 * From now on policy holds; it must outlive the table or the next call.  Where a rate or `burst`
 * changed, its buckets are full.  Returns true where a source prefix changed: sources are not
 * what they were, so the table is empty now, and the caller gives every live peer to
 * limit_adopt().
 */
bool limit_set_policy(struct limit *limit, const struct limit_policy *policy);

/* Connections that peer's source has open. */
uint32_t limit_running(const struct limit *limit, const struct peer *peer);

/* Whether peer may have one more connection at now_ns. */
enum limit_verdict limit_check(const struct limit *limit, const struct peer *peer, int64_t now_ns);

/*
 * Peer has one more connection, which takes a token of each bucket, there or not.  Returns 0, or
 * -1 (out of memory; nothing has changed then).
 */
int limit_commit(struct limit *limit, const struct peer *peer, int64_t now_ns);

/* One more that takes no token: a connection that was committed elsewhere.  As above. */
int limit_adopt(struct limit *limit, const struct peer *peer);

/* One less; each follows a commit or an adoption that returned 0. */
void limit_release(struct limit *limit, const struct peer *peer);

#define LIMIT_RECORD_WORDS 5

/* A source and what it owes. */
struct limit_record {
	uint32_t words[LIMIT_RECORD_WORDS];
	int64_t full_ns; /* when its bucket is full again */
};

/* What a table remembers beside what is running, and the rules by which it came to be. */
struct limit_snapshot {
	int64_t service_interval_ns; /* between two tokens; 0: no limit */
	int64_t source_interval_ns;
	int64_t service_ahead_ns; /* how far the time of being full may lie ahead */
	int64_t source_ahead_ns;
	int source_prefix4;
	int source_prefix6;
	int64_t full_ns; /* of the service's bucket */
	size_t record_count;
	struct limit_record *records; /* sources that owe tokens */
};

/*
 * Fills *snapshot with what is owed at now_ns; the caller frees its records.  Returns 0, or -1
 * (out of memory).
 */
int limit_export(const struct limit *limit, int64_t now_ns, struct limit_snapshot *snapshot);

/*
 * Remembers what snapshot says, as far as it came to be by the same rules as hold now (another
 * rate begins with full buckets, other prefixes make other sources), and never more than could be
 * owed at now_ns.  For a table in which nothing runs yet: live peers are adopted afterwards.
 */
void limit_import(struct limit *limit, const struct limit_snapshot *snapshot, int64_t now_ns);

/* What the table holds, for status and tests. */
struct limit_usage {
	uint64_t running; /* the sum over sources */
	size_t sources;   /* with something running */
	size_t idle;      /* with nothing running, remembered for what they owe */
};

void limit_usage(const struct limit *limit, struct limit_usage *usage);

#endif
