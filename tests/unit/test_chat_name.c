/*
 * Tests of services/chatroom/name: what a client may be called.
 */
#include "config.h"

#include "services/chatroom/name.h"

#include "tests/unit/unit.h"

#include <string.h>

static void names_are_checked(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
		{"m", true},
		{"maria", true},
		{"Maria_2-x", true},
		{"-", true},
		{"_", true},
		{"0123456789", true},
		{"abcdefghijklmnop", true},
		{"abcdefghijklmnopq", false},
		{"", false},
		{" ", false},
		{"two words", false},
		{"dot.", false},
		{"a:b", false},
		{"*", false},
		{"a/b", false},
		{"gr\xc3\xbc\xc3\x9f", false},
		{"a\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(name_valid(cases[i].name), cases[i].valid);
}

/* Of all bytes exactly 26 + 26 + 10 + 2 make a name. */
static void bytes_of_names_are_counted(void **state)
{
	unsigned valid = 0;

	(void)state;
	for (unsigned byte = 1; byte < 256; byte++) {
		char name[] = {(char)byte, '\0'};

		valid += name_valid(name);
	}
	assert_int_equal(valid, 64);
}

static void names_are_compared(void **state)
{
	(void)state;
	assert_true(name_same("maria", "maria"));
	assert_true(name_same("Maria", "mARIA"));
	assert_false(name_same("maria", "mari"));
	assert_false(name_same("a_b", "a-b"));
}

static void guests_have_names(void **state)
{
	static const struct {
		uint64_t number;
		const char *name;
	} cases[] = {
		{1, "guest1"},
		{1000, "guest1000"},
		{NAME_GUEST_MAX, "guest99999999999"},
	};
	char name[NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		name_guest(name, cases[i].number);
		assert_string_equal(name, cases[i].name);
		assert_true(name_valid(name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(bytes_of_names_are_counted),
		cmocka_unit_test(names_are_compared),
		cmocka_unit_test(guests_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
