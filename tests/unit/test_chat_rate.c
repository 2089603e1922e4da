/*
 * Tests of services/chatroom/rate: a token bucket whose time is given.
 */
#include "config.h"

#include "services/chatroom/rate.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MS INT64_C(1000000)
#define S INT64_C(1000000000)

static void burst_passes_and_then_is_told_once(void **state)
{
	struct rate rate;

	(void)state;
	rate_init(&rate, 5 * S);
	for (int i = 0; i < RATE_BURST; i++)
		assert_int_equal(rate_take(&rate, 5 * S), RATE_FINE);
	assert_int_equal(rate_take(&rate, 5 * S), RATE_OVER_FIRST);
	for (int i = 0; i < 100; i++)
		assert_int_equal(rate_take(&rate, 5 * S), RATE_OVER);
}

static void tokens_flow_in(void **state)
{
	struct rate rate;

	(void)state;
	rate_init(&rate, 0);
	for (int i = 0; i < RATE_BURST; i++)
		rate_take(&rate, 0);
	assert_int_equal(rate_take(&rate, 99 * MS), RATE_OVER_FIRST);
	assert_int_equal(rate_take(&rate, 100 * MS), RATE_FINE);
	/* It was told and is not told again before the bucket was full. */
	assert_int_equal(rate_take(&rate, 199 * MS), RATE_OVER);
	assert_int_equal(rate_take(&rate, 200 * MS), RATE_FINE);
	assert_int_equal(rate_take(&rate, 200 * MS), RATE_OVER);
}

static void a_full_bucket_forgets(void **state)
{
	struct rate rate;
	int64_t now = 10 * S;

	(void)state;
	rate_init(&rate, 0);
	for (int round = 0; round < 3; round++, now += 2 * S) {
		for (int i = 0; i < RATE_BURST; i++)
			assert_int_equal(rate_take(&rate, now), RATE_FINE);
		assert_int_equal(rate_take(&rate, now), RATE_OVER_FIRST);
		assert_int_equal(rate_take(&rate, now), RATE_OVER);
	}
}

static void a_long_time_does_not_overflow(void **state)
{
	struct rate rate;

	(void)state;
	rate_init(&rate, 0);
	for (int i = 0; i < RATE_BURST; i++)
		assert_int_equal(rate_take(&rate, INT64_MAX), RATE_FINE);
	assert_int_equal(rate_take(&rate, INT64_MAX), RATE_OVER_FIRST);
}

/* Whatever comes when: in no stretch of time pass more than the burst and the rate allow. */
static void random_lines_never_exceed_the_rate(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	int64_t now = 0;
	int64_t passed = 0;
	struct rate rate;

	(void)state;
	printf("# seed %u\n", seed);
	srand(seed);
	rate_init(&rate, now);
	for (int i = 0; i < 100000; i++) {
		now += rand() % (rand() % 4 == 0 ? 300 * MS : 5 * MS);
		passed += rate_take(&rate, now) == RATE_FINE;
		assert_true(passed <= RATE_BURST + now * RATE_PER_S / S);
	}
	assert_true(passed > RATE_BURST);
}

static void verdicts_have_names(void **state)
{
	(void)state;
	assert_string_equal(rate_verdict_name(RATE_FINE), "fine");
	assert_string_equal(rate_verdict_name(RATE_OVER_FIRST), "over, first");
	assert_string_equal(rate_verdict_name(RATE_OVER), "over");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(burst_passes_and_then_is_told_once),
		cmocka_unit_test(tokens_flow_in),
		cmocka_unit_test(a_full_bucket_forgets),
		cmocka_unit_test(a_long_time_does_not_overflow),
		cmocka_unit_test(random_lines_never_exceed_the_rate),
		cmocka_unit_test(verdicts_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
