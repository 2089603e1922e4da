/*
 * test_descriptor_raise: where long-lived descriptors go, also where there is no room up there.
 */
#include "config.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

static int open_null(void)
{
	int fd = open("/dev/null", O_RDONLY);

	assert_in_range(fd, 0, DESCRIPTOR_LONG_LIVED - 1);
	return fd;
}

static void check_closed(int fd)
{
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_raise(void **unused)
{
	int low = open_null();
	int first;
	int second;

	(void)unused;
	errno = ENOTTY;
	first = descriptor_raise(low);
	assert_int_equal(errno, ENOTTY);
	assert_true(first >= DESCRIPTOR_LONG_LIVED);
	check_closed(low);
	second = descriptor_raise(open_null());
	assert_true(second > first);
	assert_int_equal(fcntl(second, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(second, F_SETFD, 0), 0);
	assert_int_equal(descriptor_raise(second), second); /* is high already */
	assert_int_equal(fcntl(second, F_GETFD), FD_CLOEXEC);
	close(first);
	close(second);
}

static void test_no_room(void **unused)
{
	struct rlimit limit;
	rlim_t old;
	int fd = open_null();

	(void)unused;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	old = limit.rlim_cur;
	limit.rlim_cur = DESCRIPTOR_LONG_LIVED;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	errno = 0;
	assert_int_equal(descriptor_raise(fd), fd);
	assert_int_equal(errno, 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	limit.rlim_cur = old;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(fd);
}

static void test_negative(void **unused)
{
	(void)unused;
	errno = EMFILE;
	assert_int_equal(descriptor_raise(-1), -1);
	assert_int_equal(errno, EMFILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_raise),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_negative),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
