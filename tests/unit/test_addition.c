/*
 * Tests of services/addition: sum's requests and answers.
 */
#include "config.h"

#include "services/addition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX "9223372036854775807"
#define MIN "-9223372036854775808"

static void lines_are_added(void **state)
{
	static const struct {
		const char *line;
		const char *answer; /* NULL: input error */
	} cases[] = {
		{"2 3", "5"},
		{"  2\t3  ", "5"},
		{"\t2 \t 3\t", "5"},
		{"007 0000000000000000000000000000000000000001", "8"},
		{"-2 3", "1"},
		{"2 -3", "-1"},
		{"+2 +3", "5"},
		{"-0 +0", "0"},
		{MAX " 0", MAX},
		{MIN " 0", MIN},
		{MAX " " MIN, "-1"},
		{MAX " -1", "9223372036854775806"},
		{"4611686018427387904 4611686018427387903", MAX},
		{"4611686018427387904 4611686018427387904", NULL},
		{MAX " 1", NULL},
		{MIN " -1", NULL},
		{"9223372036854775808 0", NULL},
		{"0 -9223372036854775809", NULL},
		{"99999999999999999999999999 1", NULL},
		{"", NULL},
		{" ", NULL},
		{"2", NULL},
		{"2 ", NULL},
		{"2 3 4", NULL},
		{"2 3x", NULL},
		{"x2 3", NULL},
		{"2x 3", NULL},
		{"2,3", NULL},
		{"2 - 3", NULL},
		{"- 2", NULL},
		{"2 --3", NULL},
		{"2 +-3", NULL},
		{"2+3", NULL},
		{"2-3", NULL},
		{"2.0 3", NULL},
		{"0x2 3", NULL},
		{"1e3 3", NULL},
		{"2 3\r", NULL},
		{"2\v3", NULL},
		{"2 3\xa0", NULL},
		{"\xd9\xa2 3", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char room[ADDITION_TEXT_SIZE], wanted[ADDITION_TEXT_SIZE];
		struct text text;

		snprintf(wanted, sizeof(wanted), "%s\n",
			cases[i].answer != NULL ? cases[i].answer : "input error");
		text_begin(&text, room, sizeof(room));
		addition_answer(&text, cases[i].line, strlen(cases[i].line));
		assert_string_equal(room, wanted);
	}
}

static void a_nul_is_not_an_end(void **state)
{
	int64_t sum;

	(void)state;
	assert_int_equal(addition_line("2 3\0", 4, &sum), -1);
	assert_int_equal(addition_line("2 \0003", 4, &sum), -1);
}

static void lines_have_a_longest(void **state)
{
	char line[ADDITION_MAX_LINE + 1];
	int64_t sum = 0;

	(void)state;
	memset(line, '0', sizeof(line));
	memcpy(line, "1 2", 3);
	line[ADDITION_MAX_LINE - 2] = ' ';
	memset(line + 3, ' ', ADDITION_MAX_LINE - 3);
	line[ADDITION_MAX_LINE] = ' ';
	assert_int_equal(addition_line(line, ADDITION_MAX_LINE, &sum), 0);
	assert_true(sum == 3);
	assert_int_equal(addition_line(line, ADDITION_MAX_LINE + 1, &sum), -1);
}

static void random_pairs_are_added(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 20000; round++) {
		int64_t one = (int64_t)((uint64_t)random() << 33 ^ (uint64_t)random() << 11) >>
			      random() % 63;
		int64_t two = (int64_t)((uint64_t)random() << 33 ^ (uint64_t)random() << 11) >>
			      random() % 63;
		__int128 wanted = (__int128)one + two;
		bool fits = wanted >= INT64_MIN && wanted <= INT64_MAX;
		char line[64];
		int64_t sum = 0;
		int length = snprintf(line, sizeof(line), "%" PRId64 " %" PRId64, one, two);

		assert_int_equal(addition_line(line, (size_t)length, &sum), fits ? 0 : -1);
		assert_true(!fits || sum == (int64_t)wanted);
	}
}

static void requests_put(uint8_t *data, const int64_t *numbers, size_t count, bool big)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t bits = big ? htobe64((uint64_t)numbers[i]) : (uint64_t)numbers[i];

		memcpy(data + 8 * i, &bits, 8);
	}
}

static void binary_requests_are_answered_in_place(void **state)
{
	static const int64_t numbers[] = {
		1, 2, -1, 1, INT64_MAX, INT64_MIN, 0x0102030405060708, 1, INT64_MAX, 1, 3, 4};
	static const int64_t sums[] = {3, 0, -1, 0x0102030405060709};
	static const enum addition_order orders[] = {ORDER_BIG, ORDER_NATIVE};

	(void)state;
	for (size_t order = 0; order < 2; order++) {
		for (size_t length = 0; length <= sizeof(numbers); length++) {
			bool big = orders[order] == ORDER_BIG;
			uint8_t data[sizeof(numbers)], answers[sizeof(sums)];
			size_t answered, wanted = length / ADDITION_REQUEST_SIZE;

			if (wanted > 4)
				wanted = 4; /* the fifth sum does not fit */
			requests_put(data, numbers, sizeof(numbers) / 8, big);
			requests_put(answers, sums, sizeof(sums) / 8, big);
			answered = addition_binary(data, length, orders[order]);
			assert_int_equal(answered, wanted);
			assert_memory_equal(data, answers, answered * ADDITION_ANSWER_SIZE);
		}
	}
}

static void the_bytes_of_xdr_are_fixed(void **state)
{
	uint8_t data[16] = {0, 0, 0, 0, 0, 0, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255};
	static const uint8_t answer[8] = {0, 0, 0, 0, 0, 0, 0, 255};

	(void)state;
	assert_int_equal(addition_binary(data, sizeof(data), ORDER_BIG), 1);
	assert_memory_equal(data, answer, sizeof(answer));
}

static void datagrams_are_never_amplified(void **state)
{
	static const struct {
		const char *request;
		const char *answer;
	} cases[] = {
		{"", ""},
		{"2 3", "5\n"},
		{"2 3\n", "5\n"},
		{"2 3\r\n", "5\n"},
		{"9 9", "18\n"},
		{"2 3\n4 5\n6 7", "5\n9\n13\n"},
		{"x", "input error\n"},
		{"\n", "input error\n"},
		{"\n\n\n\n", "input error\n"},
		{"x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\n", "input error\n"},
		{"x\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\nx\n", "input error\ninput error\n"},
		{"1 1\nx\n2 2\n", "2\n"},
		{"1000000 1\nx\n2 2\n", "1000001\n"},
	};
	static char answer[ADDITION_DATAGRAM_SIZE], large[65507];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length =
			addition_datagram(cases[i].request, strlen(cases[i].request), answer);

		assert_int_equal(length, strlen(cases[i].answer));
		assert_memory_equal(answer, cases[i].answer, length);
	}
	memset(large, '\n', sizeof(large));
	assert_int_equal(addition_datagram(large, sizeof(large), answer), 65507 / 12 * 12);
	for (size_t i = 0; i + 4 <= sizeof(large); i += 4)
		memcpy(large + i, "1 2\n", 4);
	assert_int_equal(addition_datagram(large, 65504, answer), 65504 / 4 * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_added),
		cmocka_unit_test(a_nul_is_not_an_end),
		cmocka_unit_test(lines_have_a_longest),
		cmocka_unit_test(random_pairs_are_added),
		cmocka_unit_test(binary_requests_are_answered_in_place),
		cmocka_unit_test(the_bytes_of_xdr_are_fixed),
		cmocka_unit_test(datagrams_are_never_amplified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
