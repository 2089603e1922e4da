/*
 * histogram: how long things take, in fixed buckets; adding costs a few comparisons.
 */
#ifndef SUPERD_HISTOGRAM_H
#define SUPERD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 14 /* with an upper bound; what is above the last one is in none */

/* The upper bounds of the buckets, in rising order. */
struct histogram_bounds {
	int64_t upper_ns[HISTOGRAM_BUCKETS];
	const char *text[HISTOGRAM_BUCKETS]; /* in seconds, as OpenMetrics writes numbers */
};

struct histogram {
	uint64_t buckets[HISTOGRAM_BUCKETS]; /* each counts what is above the bucket before it */
	uint64_t count;                      /* of all, those above the last bound too */
	uint64_t sum_ns;
};

/* 250 us to 5 s: a start of a program. */
const struct histogram_bounds *histogram_bounds_start(void);

/* 1 ms to a day: the life of a connection. */
const struct histogram_bounds *histogram_bounds_life(void);

/* Counts one that took elapsed_ns (below 0 counts as 0). */
void histogram_add(
	struct histogram *histogram, const struct histogram_bounds *bounds, int64_t elapsed_ns);

#endif
