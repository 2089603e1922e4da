/*
 * conf_file: whose files and folders are trusted.  Files themselves are in tests/conf.
 */
#include "config.h"
#include "superd/conf_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_owner(void **state)
{
	static const struct {
		uid_t owner;
		gid_t group;
		mode_t mode;
		const char *error; /* for a superd of user 1000 and group 100; NULL: trusted */
	} cases[] = {
		{0, 0, 0644, NULL},
		{1000, 100, 0600, NULL},
		{1000, 100, 0664, NULL},
		{0, 0, 0664, NULL},
		{0, 4711, 0644, NULL},
		{1001, 100, 0600, "belongs to user 1001, who is not to be trusted (chown it)"},
		{0, 0, 0646, "is writable by everybody, mode 0646 (chmod o-w it)"},
		{1000, 100, 0666, "is writable by everybody, mode 0666 (chmod o-w it)"},
		{0, 0, 01777, "is writable by everybody, mode 1777 (chmod o-w it)"},
		{1000, 101, 0660, "is writable by group 101, mode 0660 (chmod g-w it)"},
	};
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		int rc = conf_file_check_owner(
			cases[i].owner, cases[i].group, cases[i].mode, 1000, 100, &error);

		assert_int_equal(rc, cases[i].error == NULL ? 0 : -1);
		if (rc != 0)
			assert_string_equal(error.text, cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
