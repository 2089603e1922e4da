/*
 * test_format: text without printf(3), held against printf(3).
 */
#include "superd/format.h"

#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void assert_text(const char *begin, char *end, const char *wanted)
{
	assert_int_equal(end - begin, strlen(wanted));
	assert_memory_equal(begin, wanted, strlen(wanted));
}

static void test_strings(void **state)
{
	char text[16];

	(void)state;
	assert_text(text, format_string(text, ""), "");
	assert_text(text, format_string(format_string(text, "one"), "=1"), "one=1");
}

static void test_numbers(void **state)
{
	static const int64_t values[] = {
		0, 1, 9, 10, 16, 255, 256, 99999, 100000, INT32_MAX, INT64_MAX, -1, -10, INT64_MIN};
	char text[FORMAT_NUMBER_SIZE];
	char wanted[64];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(wanted, sizeof(wanted), "%" PRId64, values[i]);
		assert_text(text, format_int(text, values[i]), wanted);
		snprintf(wanted, sizeof(wanted), "%" PRIu64, (uint64_t)values[i]);
		assert_text(text, format_uint(text, (uint64_t)values[i]), wanted);
		snprintf(wanted, sizeof(wanted), "%" PRIx64, (uint64_t)values[i]);
		assert_text(text, format_hex(text, (uint64_t)values[i]), wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
