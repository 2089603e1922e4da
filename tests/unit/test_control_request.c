/*
 * test_control_request: the line of a control client, both ways.
 */
#include "config.h"
#include "superd/control_request.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct good_case {
	const char *line;
	size_t count;
	const char *words[CONTROL_WORDS_MAX];
};

static void test_good(void **state)
{
	static const struct good_case cases[] = {
		{"status", 1, {"status"}},
		{"status\r", 1, {"status"}},
		{"  status   web  ", 2, {"status", "web"}},
		{"diff /srv/my\\ folder/a", 2, {"diff", "/srv/my folder/a"}},
		{"diff a\\\\b", 2, {"diff", "a\\b"}},
		{"\\a \\ ", 2, {"a", " "}},
		{"a b c d e f g h", 8, {"a", "b", "c", "d", "e", "f", "g", "h"}},
		{"\xc3\xbc \xff", 2, {"\xc3\xbc", "\xff"}},
	};
	struct control_words words;
	struct error error;
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(line, 'x', sizeof(line));
		strcpy(line, cases[i].line);
		line[strlen(line)] = 'x'; /* the end is by length, not by a NUL */
		assert_int_equal(
			control_request_parse(line, strlen(cases[i].line), &words, &error), 0);
		assert_int_equal(words.count, cases[i].count);
		for (size_t j = 0; j < words.count; j++)
			assert_string_equal(words.list[j], cases[i].words[j]);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *line;
		size_t length;
		const char *error;
	} cases[] = {
		{"", 0, "the request is empty"},
		{"\r", 1, "the request is empty"},
		{"   ", 3, "the request is empty"},
		{"a\tb", 3, "the request holds control characters"},
		{"a\0b", 3, "the request holds control characters"},
		{"a\177", 2, "the request holds control characters"},
		{"status \\", 8, "the request ends with a backslash"},
		{"a b c d e f g h i", 17, "the request has too many words"},
	};
	struct control_words words;
	struct error error;
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(line, cases[i].line, cases[i].length);
		assert_int_equal(control_request_parse(line, cases[i].length, &words, &error), -1);
		assert_string_equal(error.text, cases[i].error);
	}
}

static void test_format(void **state)
{
	const char *words[] = {"diff", "/a b/c\\d", "x"};
	char line[CONTROL_LINE_MAX];
	char large[CONTROL_LINE_MAX];
	const char *too_large[] = {"diff", large};
	const char *empty[] = {"kill", ""};
	const char *newline[] = {"kill", "1\nstop"};
	struct error error;

	(void)state;
	assert_int_equal(control_request_format(words, 3, line, &error), 18);
	assert_memory_equal(line, "diff /a\\ b/c\\\\d x\n", 18);
	assert_int_equal(control_request_format(empty, 2, line, &error), -1);
	assert_int_equal(control_request_format(newline, 2, line, &error), -1);
	memset(large, ' ', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(control_request_format(too_large, 2, line, &error), -1);
	assert_string_equal(error.text, "the arguments are too long");
}

/* Whatever words are written are read again. */
static void test_round_trip(void **state)
{
	unsigned seed = (unsigned)getpid();
	struct control_words words;
	char line[CONTROL_LINE_MAX];
	struct error error;

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 2000; round++) {
		size_t count = 1 + (size_t)rand() % CONTROL_WORDS_MAX;
		char texts[CONTROL_WORDS_MAX][32];
		const char *list[CONTROL_WORDS_MAX];
		ssize_t length;

		for (size_t i = 0; i < count; i++) {
			size_t size = 1 + (size_t)rand() % (sizeof(texts[0]) - 1);

			for (size_t j = 0; j + 1 < size || j == 0; j++) {
				static const char bytes[] = " \\az/.\"'\xff";

				texts[i][j] = bytes[(size_t)rand() % (sizeof(bytes) - 1)];
				texts[i][j + 1] = '\0';
			}
			list[i] = texts[i];
		}
		length = control_request_format(list, count, line, &error);
		assert_true(length > 0 && line[length - 1] == '\n');
		assert_int_equal(
			control_request_parse(line, (size_t)length - 1, &words, &error), 0);
		assert_int_equal(words.count, count);
		for (size_t i = 0; i < count; i++)
			assert_string_equal(words.list[i], texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
