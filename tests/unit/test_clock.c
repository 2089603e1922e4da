/*
 * test_clock: the calendar against a table and against gmtime(3).
 */
#include "config.h"
#include "superd/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static const struct {
	int64_t ns;
	const char *text;
} table[] = {
	{INT64_C(0), "1970-01-01T00:00:00.000Z"},
	{INT64_C(-1), "1969-12-31T23:59:59.999Z"},
	{INT64_C(999999), "1970-01-01T00:00:00.000Z"},
	{INT64_C(1000000), "1970-01-01T00:00:00.001Z"},
	{INT64_C(951782400000000000), "2000-02-29T00:00:00.000Z"},
	{INT64_C(951868799999999999), "2000-02-29T23:59:59.999Z"},
	{INT64_C(951868800000000000), "2000-03-01T00:00:00.000Z"},
	{INT64_C(1709164800000000000), "2024-02-29T00:00:00.000Z"},
	{INT64_C(1735689599999000000), "2024-12-31T23:59:59.999Z"},
	{INT64_C(1795187760123000000), "2026-11-20T15:16:00.123Z"},
	{INT64_C(2147483648000000000), "2038-01-19T03:14:08.000Z"},
	{INT64_C(4107542400000000000), "2100-03-01T00:00:00.000Z"},
	{INT64_C(-2203891200000000000), "1900-03-01T00:00:00.000Z"},
	{INT64_MAX, "2262-04-11T23:47:16.854Z"},
	{INT64_MIN, "1677-09-21T00:12:43.145Z"},
};

static void test_format(void **unused)
{
	char text[CLOCK_TEXT_SIZE];

	(void)unused;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		clock_format(table[i].ns, text);
		assert_string_equal(text, table[i].text);
	}
}

static void check_against_libc(int64_t ns)
{
	char expected[64];
	char text[CLOCK_TEXT_SIZE];
	int64_t ms = ns / 1000000 - (ns % 1000000 < 0);
	time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
	struct tm tm;
	size_t used;

	assert_non_null(gmtime_r(&seconds, &tm));
	used = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(expected + used, sizeof(expected) - used, ".%03dZ",
		(int)(ms - (int64_t)seconds * 1000));
	clock_format(ns, text);
	assert_string_equal(text, expected);
}

static void test_format_random(void **unused)
{
	unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();

	(void)unused;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (int i = 0; i < 100000; i++)
		check_against_libc((int64_t)((uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^
					     (uint64_t)random()));
	/* every day of two cycles of leap years around now */
	for (int64_t day = -1000; day < 60000; day++)
		check_against_libc(day * 86400 * CLOCK_NS_PER_S);
}

static void test_now(void **unused)
{
	int64_t last = clock_now_ns();
	time_t before = time(NULL);
	int64_t wall = clock_wall_ns();
	time_t after = time(NULL);

	(void)unused;
	for (int i = 0; i < 10000; i++) {
		int64_t now = clock_now_ns();

		assert_true(now >= last);
		last = now;
	}
	/* time(2) may lag by a tick */
	assert_true(wall / CLOCK_NS_PER_S >= before);
	assert_true(wall / CLOCK_NS_PER_S <= after + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_random),
		cmocka_unit_test(test_now),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
