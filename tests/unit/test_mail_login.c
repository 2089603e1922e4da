/*
 * Tests of services/mail/login: exactly six characters, the newline as the seventh byte.
 */
#include "config.h"

#include "services/mail/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

static void every_character_is_judged(void **state)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

	(void)state;
	for (int code = 0; code <= UCHAR_MAX; code++)
		assert_int_equal(login_has((char)code), code != 0 && strchr(good, code) != NULL);
}

static void only_six_of_them_are_a_login(void **state)
{
	static const struct {
		const char *bytes;
		bool valid;
	} cases[] = {
		{"maria1", true},
		{"_-_-_-", true},
		{"000000", true},
		{"", false},
		{"maria", false},
		{"maria12", false},
		{"../../", false},
		{"......", false},
		{"mari/1", false},
		{"mari 1", false},
		{"mari\n1", false},
		{"mar\xc3\xad"
		 "a",
			false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			login_valid(cases[i].bytes, strlen(cases[i].bytes)), cases[i].valid);
}

/* Writes bytes into a pipe, reads a login from it. */
static int read_from(const char *bytes, size_t length, bool ended, char login[LOGIN_SIZE],
	struct exchange *exchange)
{
	struct settings settings = {.idle_ms = 20, .total_ms = IO_FOREVER};
	int ends[2], result;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes, length), length);
	if (ended)
		close(ends[1]);
	exchange_begin(exchange, &settings, ends[0], STDOUT_FILENO);
	result = login_read(exchange, login);
	close(ends[0]);
	if (!ended)
		close(ends[1]);
	return result;
}

static void a_login_is_read_with_its_newline(void **state)
{
	struct exchange exchange;
	char login[LOGIN_SIZE];
	const char *rest;

	(void)state;
	assert_int_equal(read_from("maria1\nhello", 12, true, login, &exchange), 1);
	assert_string_equal(login, "maria1");
	assert_int_equal(exchange_take(&exchange, 100, &rest), 5);
	assert_memory_equal(rest, "hello", 5);
}

static void what_can_be_no_login_is_refused_at_once(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		bool ended;
	} cases[] = {
		{"", 0, true},
		{"maria1", 6, true},
		{"mari", 4, true},
		/* Not ended: decided without waiting for more. */
		{"\n", 1, false},
		{"maria\n", 6, false},
		{"maria12\n", 8, false},
		{"maria1\r\n", 8, false},
		{"mar.", 4, false},
		{"maria\0\n", 7, false},
		{"\xff", 1, false},
	};
	struct exchange exchange;
	char login[LOGIN_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(read_from(cases[i].bytes, cases[i].length, cases[i].ended, login,
					 &exchange),
			0);
}

static void an_unfinished_login_times_out(void **state)
{
	struct exchange exchange;
	char login[LOGIN_SIZE];

	(void)state;
	assert_int_equal(read_from("maria1", 6, false, login, &exchange), -1);
	assert_int_equal(errno, ETIMEDOUT);
}

static void lines_have_a_bound_and_no_nul(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		int result;
		const char *line;
	} cases[] = {
		{"\nx", 2, 1, ""},
		{"1234567\nx", 9, 1, "1234567"},
		{"12345678\nx", 10, 0, NULL},
		{"1234", 4, 0, NULL},
		{"12\0"
		 "4\n",
			5, 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct settings settings = {.idle_ms = 20, .total_ms = IO_FOREVER};
		struct exchange exchange;
		char line[8];
		int ends[2];

		assert_int_equal(pipe(ends), 0);
		assert_int_equal(write(ends[1], cases[i].bytes, cases[i].length), cases[i].length);
		close(ends[1]);
		exchange_begin(&exchange, &settings, ends[0], STDOUT_FILENO);
		assert_int_equal(exchange_line(&exchange, line, sizeof(line)), cases[i].result);
		if (cases[i].line != NULL)
			assert_string_equal(line, cases[i].line);
		close(ends[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_character_is_judged),
		cmocka_unit_test(only_six_of_them_are_a_login),
		cmocka_unit_test(a_login_is_read_with_its_newline),
		cmocka_unit_test(what_can_be_no_login_is_refused_at_once),
		cmocka_unit_test(an_unfinished_login_times_out),
		cmocka_unit_test(lines_have_a_bound_and_no_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
