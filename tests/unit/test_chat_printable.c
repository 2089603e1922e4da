/*
 * Tests of services/chatroom/printable: what may reach a terminal.
 */
#include "config.h"

#include "services/chatroom/printable.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void texts_are_made_printable(void **state)
{
	static const struct {
		const char *text;
		const char *printable;
	} cases[] = {
		{"plain ~text", "plain ~text"},
		{"a\tb", "a b"},
		{"\x1b[31mred\x07", "?[31mred?"},
		{"\x7f", "?"},
		{"\xc3\xa4\xc3\xb6\xc3\xbc", "\xc3\xa4\xc3\xb6\xc3\xbc"},
		{"\xe2\x82\xac", "\xe2\x82\xac"},
		{"\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82"},
		{"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xc2\x9f", "??"},
		{"\xc2\x80", "??"},
		{"\x9b", "?"},
		{"\xff\xfe", "??"},
		{"\xc0\x80", "??"},
		{"\xc1\xbf", "??"},
		{"\xe0\x9f\xbf", "???"},
		{"\xed\xa0\x80", "???"},
		{"\xed\x9f\xbf", "\xed\x9f\xbf"},
		{"\xee\x80\x80", "\xee\x80\x80"},
		{"\xf0\x8f\xbf\xbf", "????"},
		{"\xf4\x90\x80\x80", "????"},
		{"\xc3", "?"},
		{"\xe2\x82", "??"},
		{"\xc3\x1b", "??"},
		{"\xe2\x82z", "??z"},
		{"\xc3\xc3\xa4", "?\xc3\xa4"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(text, cases[i].text);
		printable_replace(text, strlen(text));
		assert_string_equal(text, cases[i].printable);
	}
}

static void nuls_are_replaced(void **state)
{
	char text[] = "a\0b";

	(void)state;
	printable_replace(text, 3);
	assert_string_equal(text, "a?b");
}

/* The text ends where its length says, even in the middle of a character. */
static void nothing_behind_is_read(void **state)
{
	char text[] = "\xc3\xa4";

	(void)state;
	printable_replace(text, 1);
	assert_string_equal(text, "?\xa4");
	printable_replace(text, 0);
	assert_string_equal(text, "?\xa4");
}

/* Random bytes: no control character is left, and what is printable stays as it is. */
static void random_bytes_become_stable(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	printf("# seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 20000; i++) {
		char text[40], again[40];

		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = (char)(rand() % 3 == 0 ? rand() : 0x80 + rand() % 0x80);
		printable_replace(text, sizeof(text));
		memcpy(again, text, sizeof(text));
		printable_replace(again, sizeof(again));
		assert_memory_equal(again, text, sizeof(text));
		for (size_t k = 0; k < sizeof(text); k++)
			assert_true((unsigned char)text[k] >= 0x20 && text[k] != 0x7f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_made_printable),
		cmocka_unit_test(nuls_are_replaced),
		cmocka_unit_test(nothing_behind_is_read),
		cmocka_unit_test(random_bytes_become_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
