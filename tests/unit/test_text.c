/*
 * Tests of services/lib/text: numbers, padding, escapes, cutting, parsing.
 */
#include "config.h"

#include "services/lib/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static void numbers_are_decimal(void **state)
{
	static const struct {
		int64_t number;
		const char *text;
	} cases[] = {
		{0, "0"},
		{7, "7"},
		{10, "10"},
		{-1, "-1"},
		{INT64_MAX, "9223372036854775807"},
		{INT64_MIN, "-9223372036854775808"},
	};
	char room[TEXT_NUMBER_SIZE];
	struct text text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		text_begin(&text, room, sizeof(room));
		text_add_int(&text, cases[i].number);
		assert_string_equal(room, cases[i].text);
		assert_int_equal(text.used, strlen(cases[i].text));
	}
	text_begin(&text, room, sizeof(room));
	text_add_unsigned(&text, UINT64_MAX);
	assert_string_equal(room, "18446744073709551615");
}

static void parts_are_appended(void **state)
{
	char room[64];
	struct text text;

	(void)state;
	text_begin(&text, room, sizeof(room));
	assert_string_equal(room, "");
	text_add(&text, "a");
	text_add_char(&text, '-');
	text_add_padded(&text, 5, 2, '0');
	text_add_padded(&text, 5, 3, ' ');
	text_add_padded(&text, 123, 2, '0');
	text_add_hex(&text, 0xbeef);
	text_add_escaped(&text, "x\\\n\x1b\xff\0z", 7);
	assert_string_equal(room, "a-05  5123beefx\\\\\\x0a\\x1b\\xff\\x00z");
}

static void what_does_not_fit_is_cut(void **state)
{
	char room[6] = "*****";
	struct text text;

	(void)state;
	text_begin(&text, room, 5);
	text_add(&text, "abc");
	text_add_unsigned(&text, 123456);
	assert_string_equal(room, "abc1");
	assert_int_equal(text.used, 4);
	text_add(&text, "more");
	assert_string_equal(room, "abc1");
	assert_int_equal(room[5], '\0');
}

static void unsigned_numbers_are_read_strictly(void **state)
{
	static const struct {
		const char *string;
		uint64_t min, max;
		int result;
		uint64_t number;
	} cases[] = {
		{"0", 0, 10, 0, 0},
		{"010", 0, 10, 0, 10},
		{"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", 0, UINT64_MAX, -1, 0},
		{"99999999999999999999", 0, UINT64_MAX, -1, 0},
		{"11", 0, 10, -1, 0},
		{"0", 1, 10, -1, 0},
		{"", 0, 10, -1, 0},
		{"-1", 0, 10, -1, 0},
		{"+1", 0, 10, -1, 0},
		{" 1", 0, 10, -1, 0},
		{"1 ", 0, 10, -1, 0},
		{"1s", 0, 10, -1, 0},
		{"0x1", 0, 10, -1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 0;

		assert_int_equal(
			text_parse_unsigned(cases[i].string, cases[i].min, cases[i].max, &number),
			cases[i].result);
		assert_true(number == cases[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(parts_are_appended),
		cmocka_unit_test(what_does_not_fit_is_cut),
		cmocka_unit_test(unsigned_numbers_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
