/*
 * The pure parts of the clients: lines to integers, integers to bytes, the pattern, and the
 * translations of sum's binary protocol, which must not depend on how the bytes are cut up.
 */
#include "config.h"
#include "services/clients/binary.h"
#include "services/clients/sum.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_parse_line(void **state)
{
	static const struct {
		const char *line;
		bool good;
		int64_t a;
		int64_t b;
	} cases[] = {
		{"2 3", true, 2, 3},
		{"2 3\n", true, 2, 3},
		{"2 3\r\n", true, 2, 3},
		{" \t2\t \t3  ", true, 2, 3},
		{"-2 +3", true, -2, 3},
		{"0002 -0003", true, 2, -3},
		{"000000000000000000000000000001 0", true, 1, 0},
		{"9223372036854775807 -9223372036854775808", true, INT64_MAX, INT64_MIN},
		{"+9223372036854775807 -0", true, INT64_MAX, 0},
		{"9223372036854775808 1", false, 0, 0},
		{"1 -9223372036854775809", false, 0, 0},
		{"99999999999999999999999 1", false, 0, 0},
		{"", false, 0, 0},
		{"\n", false, 0, 0},
		{" ", false, 0, 0},
		{"2", false, 0, 0},
		{"2 ", false, 0, 0},
		{"2 3 4", false, 0, 0},
		{"2 3x", false, 0, 0},
		{"2x 3", false, 0, 0},
		{"2,3", false, 0, 0},
		{"2-3", false, 0, 0},
		{"- 3", false, 0, 0},
		{"+-2 3", false, 0, 0},
		{"0x2 3", false, 0, 0},
		{"2.0 3", false, 0, 0},
		{"2 3\r", false, 0, 0},
		{"2\n3", false, 0, 0},
		{"2\v3", false, 0, 0},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t a = 77;
		int64_t b = 78;
		bool good = binary_parse_line(cases[i].line, strlen(cases[i].line), &a, &b);

		if (good != cases[i].good)
			fail_msg("case %zu, '%s': %d", i, cases[i].line, good);
		assert_int_equal(a, cases[i].good ? cases[i].a : 77);
		assert_int_equal(b, cases[i].good ? cases[i].b : 78);
	}
	{
		int64_t a;
		int64_t b;

		assert_false(binary_parse_line("2 3\0", 4, &a, &b));
	}
}

static void test_integers(void **state)
{
	static const unsigned char request[BINARY_REQUEST_BYTES] = {
		0, 0, 0, 0, 0, 0, 1, 2, 255, 255, 255, 255, 255, 255, 255, 254};
	static const unsigned char network[BINARY_INT_BYTES] = {0, 0, 0x30, 0x39};
	unsigned char bytes[BINARY_REQUEST_BYTES];
	int64_t words[2];
	int32_t word;

	(void)state;
	binary_put_int(12345, BINARY_NETWORK, bytes);
	assert_memory_equal(bytes, network, sizeof(network));
	binary_put_int(-12345, BINARY_NATIVE, bytes);
	memcpy(&word, bytes, sizeof(word));
	assert_int_equal(word, -12345);

	binary_put_request(258, -2, BINARY_NETWORK, bytes);
	assert_memory_equal(bytes, request, sizeof(request));
	assert_int_equal(binary_get_answer(bytes, BINARY_NETWORK), 258);
	assert_int_equal(binary_get_answer(bytes + 8, BINARY_NETWORK), -2);
	binary_put_request(INT64_MIN, INT64_MAX, BINARY_NATIVE, bytes);
	memcpy(words, bytes, sizeof(words));
	assert_int_equal(words[0], INT64_MIN);
	assert_int_equal(words[1], INT64_MAX);
	assert_int_equal(binary_get_answer(bytes, BINARY_NATIVE), INT64_MIN);
}

static void test_pattern(void **state)
{
	char bytes[60];

	(void)state;
	bytes[53] = '!';
	binary_pattern(53, bytes);
	assert_memory_equal(bytes, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyza!", 54);
}

static void test_order_names(void **state)
{
	(void)state;
	assert_string_equal(binary_order_name(BINARY_NETWORK), "network");
	assert_string_equal(binary_order_name(BINARY_NATIVE), "native");
}

/* Gives text to the encoder in random pieces; takes requests away in random pieces too. */
static void encode_in_pieces(
	const char *text, size_t piece_max, size_t typed_size, struct sum *sum, struct buffer *all)
{
	struct buffer typed;
	struct buffer request;
	size_t left = strlen(text);

	assert_int_equal(buffer_init(&typed, typed_size), 0);
	assert_int_equal(buffer_init(&request, 40), 0);
	while (left > 0 || buffer_length(&typed) > 0) {
		size_t piece = 1 + (size_t)random() % piece_max;

		if (piece > left)
			piece = left;
		if (piece > buffer_room(&typed))
			piece = buffer_room(&typed);
		buffer_append(&typed, text, piece);
		text += piece;
		left -= piece;
		sum_encode(sum, &typed, &request, left == 0);
		if (buffer_room(&request) < BINARY_REQUEST_BYTES || random() % 2 == 0)
			buffer_move(&request, all);
	}
	buffer_move(&request, all);
	buffer_free(&typed);
	buffer_free(&request);
}

/* Standard error goes to /dev/null while bad lines are told. */
static int stderr_hide(void)
{
	int saved = dup(STDERR_FILENO);

	assert_non_null(freopen("/dev/null", "w", stderr));
	return saved;
}

static void stderr_show(int saved)
{
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void test_encode(void **state)
{
	static const int64_t expected[] = {1, 2, 30, 40, -5, 6, 7, 8};
	const char *text = "1 2\nnonsense\n30 40\r\n\n-5 +6\n"
			   "1111111111111111111111111111111111111111111111111111111111111111 2\n"
			   "7 8";
	int saved = stderr_hide();
	int round;

	(void)state;
	for (round = 0; round < 200; round++) {
		struct sum sum = {.order = BINARY_NATIVE};
		struct fault fault;
		struct buffer all;

		assert_int_equal(buffer_init(&all, 1024), 0);
		encode_in_pieces(text, 1 + (size_t)round % 30, 32, &sum, &all);
		assert_int_equal(buffer_length(&all), sizeof(expected));
		assert_memory_equal(buffer_bytes(&all), expected, sizeof(expected));
		assert_int_equal(sum.requests, 4);
		assert_int_equal(sum.lines, 7);
		assert_int_equal(sum.bad_lines, 3);
		assert_int_equal(sum_result(&sum, &fault), -1);
		assert_string_equal(
			fault.text, "server terminated prematurely: 0 of 4 requests answered");
		sum.answers = 4;
		assert_int_equal(sum_result(&sum, &fault), -1);
		assert_string_equal(fault.text, "3 of 7 lines not sent");
		buffer_free(&all);
	}
	stderr_show(saved);
}

static void test_decode(void **state)
{
	struct sum sum = {.order = BINARY_NETWORK, .requests = 2};
	static const unsigned char answers[20] = {
		0, 0, 0, 0, 0, 0, 1, 0, 128, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9};
	struct fault fault;
	struct buffer from;
	struct buffer to;
	char text[64] = "";
	size_t i;

	(void)state;
	assert_int_equal(buffer_init(&from, 32), 0);
	assert_int_equal(buffer_init(&to, 24), 0);
	for (i = 0; i < sizeof(answers); i++) {
		buffer_append(&from, answers + i, 1);
		sum_decode(&sum, &from, &to, false);
		strncat(text, buffer_bytes(&to), buffer_length(&to));
		buffer_consume(&to, buffer_length(&to));
	}
	assert_string_equal(text, "256\n-9223372036854775808\n");
	assert_int_equal(buffer_length(&from), 4);
	assert_int_equal(sum_result(&sum, &fault), 0);
	buffer_free(&from);
	buffer_free(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_line),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_pattern),
		cmocka_unit_test(test_order_names),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_decode),
	};
	unsigned int seed = (unsigned int)getpid();

	printf("seed %u\n", seed);
	srandom(seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
