/*
 * rate: how many lines a client may send.  A token bucket whose time is a parameter.
 */
#ifndef SERVICES_CHATROOM_RATE_H
#define SERVICES_CHATROOM_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_PER_S 10
#define RATE_BURST 20

enum rate_verdict {
	RATE_FINE,
	RATE_OVER_FIRST, /* over the rate, for the first time since the bucket was full: say so */
	RATE_OVER,       /* over it, and it was said */
};

/* "fine", "over, first", "over". */
const char *rate_verdict_name(enum rate_verdict verdict);

/* Treat as opaque. */
struct rate {
	int64_t credit_ns; /* what is in the bucket, as the time in which it flows in */
	int64_t seen_ns;   /* up to when that was reckoned */
	bool told;         /* OVER_FIRST was answered since the bucket was full */
};

/* A full bucket. */
void rate_init(struct rate *rate, int64_t now_ns);

/* One line has come at now_ns (monotonic): takes a token where there is one. */
enum rate_verdict rate_take(struct rate *rate, int64_t now_ns);

#endif
