/*
 * histogram: fixed buckets.
 */
#include "config.h"
#include "superd/histogram.h"

#include "superd/clock.h"

#define US INT64_C(1000)
#define MS CLOCK_NS_PER_MS
#define S CLOCK_NS_PER_S

const struct histogram_bounds *histogram_bounds_start(void)
{
	static const struct histogram_bounds bounds = {
		{250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS,
			250 * MS, 500 * MS, 1 * S, 2500 * MS, 5 * S},
		{"0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1",
			"0.25", "0.5", "1.0", "2.5", "5.0"},
	};

	return &bounds;
}

const struct histogram_bounds *histogram_bounds_life(void)
{
	static const struct histogram_bounds bounds = {
		{1 * MS, 5 * MS, 10 * MS, 50 * MS, 100 * MS, 500 * MS, 1 * S, 5 * S, 10 * S, 60 * S,
			300 * S, 3600 * S, 21600 * S, 86400 * S},
		{"0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1.0", "5.0", "10.0", "60.0",
			"300.0", "3600.0", "21600.0", "86400.0"},
	};

	return &bounds;
}

void histogram_add(
	struct histogram *histogram, const struct histogram_bounds *bounds, int64_t elapsed_ns)
{
	size_t i = 0;

	if (elapsed_ns < 0)
		elapsed_ns = 0;
	while (i < HISTOGRAM_BUCKETS && elapsed_ns > bounds->upper_ns[i])
		i++;
	if (i < HISTOGRAM_BUCKETS)
		histogram->buckets[i]++;
	histogram->count++;
	histogram->sum_ns += (uint64_t)elapsed_ns;
}
