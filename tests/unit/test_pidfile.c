/*
 * test_pidfile: the lock says whether a superd runs.
 */
#include "config.h"
#include "superd/pidfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static void test_lock(void **state)
{
	char folder[] = "/tmp/superd-pidfile-XXXXXX";
	char path[64];
	char wanted[32];
	char text[32] = "";
	struct error error;
	FILE *file;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/pid", folder);
	file = fopen(path, "w"); /* left over: nobody holds it */
	assert_non_null(file);
	fputs("123456789012345\n", file);
	fclose(file);

	fd = pidfile_create(path, &error);
	assert_true(fd >= 0);
	file = fopen(path, "r");
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	snprintf(wanted, sizeof(wanted), "%ld\n", (long)getpid());
	assert_string_equal(text, wanted);

	assert_int_equal(pidfile_create(path, &error), -1);
	snprintf(wanted, sizeof(wanted), "process %ld", (long)getpid());
	assert_non_null(strstr(error.text, wanted));

	pidfile_remove(path, fd);
	assert_int_not_equal(access(path, F_OK), 0);
	rmdir(folder);
}

static void test_no_such_folder(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(pidfile_create("/no/such/folder/pid", &error), -1);
	assert_non_null(strstr(error.text, "No such file or directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_no_such_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
