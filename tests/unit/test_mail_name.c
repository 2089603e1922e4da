/*
 * Tests of services/mail/name: file names of messages and the header line.
 */
#include "config.h"

#include "services/mail/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct name name_make(int64_t key_ns, const char *sender, uint64_t bytes)
{
	struct name name = {.key_ns = key_ns, .bytes = bytes, .date_s = key_ns / NAME_NS_PER_S};

	strcpy(name.unique, "P1N0R0123456789abcdef.host");
	strcpy(name.sender, sender);
	return name;
}

static void a_name_says_all(void **state)
{
	struct name name = name_make(INT64_C(1795259595372963745), "sender", 123);
	char text[NAME_SIZE];

	(void)state;
	name_format(&name, text);
	assert_string_equal(text, "1795259595.372963745.P1N0R0123456789abcdef.host,F=sender,S=123,"
				  "D=1795259595");
}

static void a_name_is_read_back(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 10000; i++) {
		int64_t key_ns =
			((int64_t)rand() * 4 + rand() % 4) * NAME_NS_PER_S + rand() % NAME_NS_PER_S;
		struct name name = name_make(key_ns, "mari-1", (uint64_t)rand());
		struct name again;
		char text[NAME_SIZE];

		name.date_s = rand();
		name_unique((unsigned)i, name.unique);
		name_format(&name, text);
		assert_int_equal(name_parse(text, &again), 0);
		assert_int_equal(again.key_ns, name.key_ns);
		assert_int_equal(again.bytes, name.bytes);
		assert_int_equal(again.date_s, name.date_s);
		assert_string_equal(again.unique, name.unique);
		assert_string_equal(again.sender, name.sender);
	}
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		".",
		"README",
		"1795259595.372963745.P1",
		"1795259595.372963745.P1,F=sender,S=1",
		"1795259595.372963745.P1,F=sender,S=1,D=",
		"1795259595.372963745.P1,F=sender,S=1,D=5x",
		"1795259595.372963745.P1,F=sender,S=1,D=5,",
		"1795259595.372963745.P1,F=sender,S=-1,D=5",
		"1795259595.372963745.P1,F=sender,S=99999999999999999999,D=5",
		"1795259595.372963745.P1,F=sender,S=1,D=99999999999",
		"1795259595.372963745.P1,F=sende,S=1,D=5",
		"1795259595.372963745.P1,F=sender1,S=1,D=5",
		"1795259595.372963745.P1,F=sen er,S=1,D=5",
		"1795259595.372963745.P1,F=sen\ner,S=1,D=5",
		"1795259595.372963745.P1,S=1,F=sender,D=5",
		"1795259595.372963745.,F=sender,S=1,D=5",
		"179525959.372963745.P1,F=sender,S=1,D=5",
		"1795259595.37296374.P1,F=sender,S=1,D=5",
		"9999999999.372963745.P1,F=sender,S=1,D=5",
		" 795259595.372963745.P1,F=sender,S=1,D=5",
		"1795259595.372963745.P1,F=sender,S=1,D=5\n",
	};
	char longest[2 * NAME_SIZE];
	struct name name;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(name_parse(bad[i], &name), -1);
	memset(longest, '0', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(name_parse(longest, &name), -1);
	assert_int_equal(name_parse("1795259595.372963745.P1,F=sender,S=0,D=5", &name), 0);
}

static void names_sort_by_arrival(void **state)
{
	static const int64_t keys[] = {0, 1, 999999999, 1000000000, 1000000001,
		INT64_C(99999999999), INT64_C(1795259595000000000), INT64_C(1795259595000000001),
		INT64_C(9223372035999999999)};
	char before[NAME_SIZE] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct name name = name_make(keys[i], "sender", (uint64_t)(100 - i));
		char text[NAME_SIZE];

		name_format(&name, text);
		assert_true(strcmp(before, text) < 0);
		strcpy(before, text);
	}
}

static int text_compare(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

static void unique_is_unique(void **state)
{
	enum { COUNT = 20000 };
	char(*made)[NAME_UNIQUE_SIZE] = calloc(COUNT, sizeof(*made));
	char **sorted = calloc(COUNT, sizeof(*sorted));

	(void)state;
	assert_non_null(made);
	assert_non_null(sorted);
	for (size_t i = 0; i < COUNT; i++) {
		name_unique(0, made[i]);
		assert_null(strpbrk(made[i], "/,\n "));
		sorted[i] = made[i];
	}
	qsort(sorted, COUNT, sizeof(*sorted), text_compare);
	for (size_t i = 1; i < COUNT; i++)
		assert_string_not_equal(sorted[i - 1], sorted[i]);
	free(sorted);
	free(made);
}

static void the_header_line_is_literal(void **state)
{
	static const struct {
		int64_t date_s;
		uint64_t bytes;
		const char *line;
	} cases[] = {
		{1795187760, 123, "FROM sender DATE 2026-11-20T15:16:00Z BYTES 123\n"},
		{0, 0, "FROM sender DATE 1970-01-01T00:00:00Z BYTES 0\n"},
		{INT64_C(9223372035), UINT64_MAX,
			"FROM sender DATE 2262-04-11T23:47:15Z BYTES 18446744073709551615\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct name name = name_make(0, "sender", 7);
		char line[NAME_HEADER_SIZE];

		name.date_s = cases[i].date_s;
		assert_int_equal(name_header(&name, cases[i].bytes, line), strlen(cases[i].line));
		assert_string_equal(line, cases[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_says_all),
		cmocka_unit_test(a_name_is_read_back),
		cmocka_unit_test(what_is_no_name_is_refused),
		cmocka_unit_test(names_sort_by_arrival),
		cmocka_unit_test(unique_is_unique),
		cmocka_unit_test(the_header_line_is_literal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
