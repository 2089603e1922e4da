/*
 * conf_value: the value types, by tables and there and back; conf_suggest beside it.
 */
#include "config.h"
#include "superd/clock.h"
#include "superd/conf_suggest.h"
#include "superd/conf_value.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MS CLOCK_NS_PER_MS
#define S CLOCK_NS_PER_S

struct value_case {
	const char *text;
	int64_t value;
	const char *error; /* NULL: none */
};

/* Parses text as kind in min..max. */
static int parse(enum conf_kind kind, const char *text, int64_t min, int64_t max, int64_t *value,
	struct error *error)
{
	struct conf_option option = {.kind = kind, .min = min, .max = max};

	return conf_value_parse(&option, text, value, error);
}

static void check(
	enum conf_kind kind, int64_t min, int64_t max, const struct value_case *cases, size_t count)
{
	struct error error;
	int64_t value;
	size_t i;

	for (i = 0; i < count; i++) {
		int rc = parse(kind, cases[i].text, min, max, &value, &error);

		if (cases[i].error == NULL) {
			if (rc != 0)
				fail_msg("%s: %s", cases[i].text, error.text);
			assert_int_equal(value, cases[i].value);
		} else {
			assert_int_equal(rc, -1);
			assert_string_equal(error.text, cases[i].error);
		}
	}
}

static void test_bool(void **state)
{
	static const struct value_case cases[] = {
		{"yes", 1, NULL},
		{"no", 0, NULL},
		{"true", 1, NULL},
		{"false", 0, NULL},
		{"on", 1, NULL},
		{"off", 0, NULL},
		{"", 0, "'' is not one of yes, no, true, false, on, off"},
		{"1", 0, "'1' is not one of yes, no, true, false, on, off"},
		{"yess", 0,
			"'yess' is not one of yes, no, true, false, on, off (did you mean 'yes'?)"},
	};

	(void)state;
	check(KIND_BOOL, 0, 0, cases, COUNT(cases));
}

static void test_integer(void **state)
{
	static const struct value_case cases[] = {
		{"0", 0, NULL},
		{"010", 10, NULL},
		{"-20", -20, NULL},
		{"-0", 0, NULL},
		{"100", 100, NULL},
		{"101", 0, "101 is not in -20..100"},
		{"-21", 0, "-21 is not in -20..100"},
		{"9223372036854775807", 0, "9223372036854775807 is not in -20..100"},
		{"9223372036854775808", 0, "9223372036854775808 is not in -20..100"},
		{"-9223372036854775809", 0, "-9223372036854775809 is not in -20..100"},
		{"", 0, "'' is not a number"},
		{"-", 0, "'-' is not a number"},
		{"--1", 0, "'--1' is not a number"},
		{"+1", 0, "'+1' is not a number"},
		{" 1", 0, "' 1' is not a number"},
		{"1 ", 0, "'1 ' is not a number"},
		{"0x10", 0, "'0x10' is not a number"},
		{"1e3", 0, "'1e3' is not a number"},
	};

	(void)state;
	check(KIND_INTEGER, -20, 100, cases, COUNT(cases));
}

static void test_octal(void **state)
{
	static const struct value_case cases[] = {
		{"0", 0, NULL},
		{"022", 022, NULL},
		{"22", 022, NULL},
		{"0000777", 0777, NULL},
		{"1000", 0, "1000 is not in 0000..0777"},
		{"777777777777777777777777", 0, "777777777777777777777777 is not in 0000..0777"},
		{"8", 0, "'8' is not an octal number such as 022"},
		{"", 0, "'' is not an octal number such as 022"},
		{"-1", 0, "'-1' is not an octal number such as 022"},
		{"0o22", 0, "'0o22' is not an octal number such as 022"},
	};

	(void)state;
	check(KIND_OCTAL, 0, 0777, cases, COUNT(cases));
}

static void test_size(void **state)
{
	static const struct value_case cases[] = {
		{"1", 1, NULL},
		{"4096", 4096, NULL},
		{"64K", 65536, NULL},
		{"32M", 33554432, NULL},
		{"1G", 1073741824, NULL},
		{"0", 0, "0 is not in 1..1G"},
		{"1025M", 0, "1025M is not in 1..1G"},
		{"99999999999999999999", 0, "99999999999999999999 is not in 1..1G"},
		{"9999999999G", 0, "9999999999G is not in 1..1G"},
		{"", 0, "'' is not a size such as 4096, 64K, 32M or 1G"},
		{"K", 0, "'K' is not a size such as 4096, 64K, 32M or 1G"},
		{"1k", 0, "'1k' is not a size such as 4096, 64K, 32M or 1G"},
		{"1KB", 0, "'1KB' is not a size such as 4096, 64K, 32M or 1G"},
		{"1.5G", 0, "'1.5G' is not a size such as 4096, 64K, 32M or 1G"},
		{"-1", 0, "'-1' is not a size such as 4096, 64K, 32M or 1G"},
		{"unlimited", 0, "'unlimited' is not a size such as 4096, 64K, 32M or 1G"},
	};

	(void)state;
	check(KIND_SIZE, 1, INT64_C(1) << 30, cases, COUNT(cases));
}

static void test_time(void **state)
{
	static const struct value_case cases[] = {
		{"0", 0, NULL},
		{"30", 30 * S, NULL},
		{"500ms", 500 * MS, NULL},
		{"30s", 30 * S, NULL},
		{"5m", 300 * S, NULL},
		{"2h", 7200 * S, NULL},
		{"1d", 86400 * S, NULL},
		{"1m30s", 90 * S, NULL},
		{"1s1ms", 1001 * MS, NULL},
		{"1d1h1m1s1ms", 90061 * S + MS, NULL},
		{"100m", 6000 * S, NULL},
		{"3d", 0, "3d is not in 0s..2d"},
		{"1d25h", 0, "1d25h is not in 0s..2d"},
		{"99999999999999999999", 0, "99999999999999999999 is not in 0s..2d"},
		{"9223372036854775807", 0, "9223372036854775807 is not in 0s..2d"},
		{"9223372036854775807d", 0, "9223372036854775807d is not in 0s..2d"},
		{"106751d23h47m16s900ms", 0, "106751d23h47m16s900ms is not in 0s..2d"},
		{"", 0, "'' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"s", 0, "'s' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"1s1m", 0, "'1s1m' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"1s1s", 0, "'1s1s' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"1m30", 0, "'1m30' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"1.5s", 0, "'1.5s' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"-1s", 0, "'-1s' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"1 s", 0, "'1 s' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"1w", 0, "'1w' is not a time such as 500ms, 30s, 5m or 1h30m"},
		{"1us", 0, "'1us' is not a time such as 500ms, 30s, 5m or 1h30m"},
	};

	(void)state;
	check(KIND_TIME, 0, 2 * 86400 * S, cases, COUNT(cases));
}

static void test_seconds(void **state)
{
	static const struct value_case cases[] = {
		{"0", 0, NULL},
		{"1ms", 1, NULL},
		{"1s", 1, NULL},
		{"1s1ms", 2, NULL},
		{"1h", 3600, NULL},
		{"2h", 0, "2h is not in 0s..1h"},
	};

	(void)state;
	check(KIND_SECONDS, 0, 3600, cases, COUNT(cases));
}

static void test_unlimited(void **state)
{
	struct conf_option option = {.kind = KIND_SIZE, .max = 5, .flags = OPTION_UNLIMITED};
	char text[CONF_VALUE_SIZE];
	struct error error;
	int64_t value;

	(void)state;
	assert_int_equal(conf_value_parse(&option, "unlimited", &value, &error), 0);
	assert_int_equal(value, CONF_UNLIMITED);
	assert_string_equal(conf_value_format(KIND_SIZE, value, text), "unlimited");
}

static void test_variable(void **state)
{
	(void)state;
	assert_true(conf_is_variable("A"));
	assert_true(conf_is_variable("_a9"));
	assert_false(conf_is_variable(""));
	assert_false(conf_is_variable("9a"));
	assert_false(conf_is_variable("a-b"));
	assert_false(conf_is_variable("a=b"));
}

/* Whatever is written reads as the same value. */
static void test_round_trip(void **state)
{
	static const enum conf_kind kinds[] = {
		KIND_BOOL, KIND_INTEGER, KIND_OCTAL, KIND_SIZE, KIND_TIME, KIND_SECONDS};
	unsigned seed = (unsigned)time(NULL);
	char text[CONF_VALUE_SIZE];
	struct error error;
	int64_t value, read;
	size_t i, j;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (i = 0; i < 20000; i++) {
		for (j = 0; j < COUNT(kinds); j++) {
			value = (int64_t)(random() >> random() % 31) << random() % 20;
			if (kinds[j] == KIND_BOOL)
				value &= 1;
			if (kinds[j] == KIND_TIME)
				value = value / 1000 * MS;
			if (kinds[j] == KIND_SECONDS)
				value = value % 1000000000;
			conf_value_format(kinds[j], value, text);
			if (parse(kinds[j], text, 0,
				    kinds[j] == KIND_SECONDS ? INT64_MAX / S : INT64_MAX, &read,
				    &error) != 0)
				fail_msg("%s: %s", text, error.text);
			if (read != value)
				fail_msg("%s: %" PRId64 " is not %" PRId64, text, read, value);
		}
	}
}

static void test_suggest(void **state)
{
	static const char *const words[] = {"listen", "limits", "log", "exec", "env", "nice"};
	static const struct {
		const char *word, *best;
	} cases[] = {
		{"lisen", "listen"},
		{"lsiten", "listen"},
		{"Listen", "listen"},
		{"limts", "limits"},
		{"exce", "exec"},
		{"en", "env"},
		{"x", NULL},
		{"frobnicate", NULL},
		{"", NULL},
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		struct conf_suggest suggest = conf_suggest_begin(cases[i].word);

		for (j = 0; j < COUNT(words); j++)
			conf_suggest_offer(&suggest, words[j]);
		if (cases[i].best == NULL)
			assert_null(suggest.best);
		else
			assert_string_equal(suggest.best, cases[i].best);
	}
}

/* Words longer than any option: no suggestion, no harm. */
static void test_suggest_long(void **state)
{
	char word[200], hint[CONF_SUGGEST_SIZE];
	struct conf_suggest suggest;
	size_t length;

	(void)state;
	for (length = 60; length < sizeof(word); length++) {
		memset(word, 'a', length);
		word[length] = '\0';
		suggest = conf_suggest_begin(word);
		word[0] = 'b';
		conf_suggest_offer(&suggest, word);
		conf_suggest_offer(&suggest, "a");
		conf_suggest_text(&suggest, hint);
		assert_true(strlen(hint) < sizeof(hint));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_integer),
		cmocka_unit_test(test_octal),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_unlimited),
		cmocka_unit_test(test_variable),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_suggest_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
