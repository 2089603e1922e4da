/*
 * test_histogram: each time falls into the bucket whose bound it does not exceed.
 */
#include "config.h"
#include "superd/histogram.h"

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static void check_bounds(const struct histogram_bounds *bounds)
{
	struct histogram histogram = {0};
	uint64_t sum_ns = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		assert_true(i == 0 || bounds->upper_ns[i] > bounds->upper_ns[i - 1]);
		/* the text is the bound in seconds, and a number as OpenMetrics writes it */
		assert_true(llabs(bounds->upper_ns[i] -
				    (int64_t)(strtod(bounds->text[i], NULL) * 1e9 + 0.5)) < 2);
		assert_non_null(strchr(bounds->text[i], '.'));
		histogram_add(&histogram, bounds, bounds->upper_ns[i]);
		histogram_add(&histogram, bounds, bounds->upper_ns[i] + 1);
		sum_ns += 2 * (uint64_t)bounds->upper_ns[i] + 1;
	}
	assert_int_equal(histogram.buckets[0], 1);
	for (size_t i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_int_equal(histogram.buckets[i], 2);
	assert_int_equal(histogram.count, 2 * HISTOGRAM_BUCKETS);
	assert_int_equal(histogram.sum_ns, sum_ns);
	histogram_add(&histogram, bounds, -5);
	histogram_add(&histogram, bounds, 0);
	assert_int_equal(histogram.buckets[0], 3);
	assert_int_equal(histogram.sum_ns, sum_ns);
}

static void test_bounds(void **state)
{
	(void)state;
	check_bounds(histogram_bounds_start());
	check_bounds(histogram_bounds_life());
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
