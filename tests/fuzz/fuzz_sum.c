/*
 * libFuzzer target: sum's lines, datagrams and binary requests.  By hand, in the build tree:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DHAVE_CONFIG_H -I. -I.. -o fuzz_sum \
 *     ../tests/fuzz/fuzz_sum.c ../services/addition.c ../services/lib/text.c
 */
#include "config.h"

#include "services/addition.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_ERROR 12 /* "input error\n" */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of its exact size, so that one byte read too much is found. */
static void *exact_copy(const uint8_t *data, size_t size)
{
	void *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	return copy;
}

static void datagram_check(const uint8_t *data, size_t size)
{
	static char answer[ADDITION_DATAGRAM_SIZE];
	char *copy = exact_copy(data, size);
	size_t length = addition_datagram(copy, size, answer);

	if (length > (size > LONGEST_ERROR ? size : LONGEST_ERROR))
		abort();
	if (length > 0 && answer[length - 1] != '\n')
		abort();
	free(copy);
}

/* What is answered is the sum, and what is not answered does not fit. */
static void binary_check(const uint8_t *data, size_t size)
{
	size_t count = size / ADDITION_REQUEST_SIZE;
	uint8_t *copy = exact_copy(data, size);
	size_t answered = addition_binary(copy, size, ORDER_NATIVE);

	if (answered > count)
		abort();
	for (size_t i = 0; i < answered + (answered < count); i++) {
		int64_t pair[2], sum, answer;
		int fails;

		memcpy(pair, data + i * ADDITION_REQUEST_SIZE, sizeof(pair));
		memcpy(&answer, copy + i * ADDITION_ANSWER_SIZE, sizeof(answer));
		fails = __builtin_add_overflow(pair[0], pair[1], &sum);
		if (i < answered ? fails || sum != answer : !fails)
			abort();
	}
	addition_binary(copy, size, ORDER_BIG);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = exact_copy(data, size);
	int64_t sum;

	addition_line(line, size, &sum);
	free(line);
	if (size <= 65536)
		datagram_check(data, size);
	binary_check(data, size);
	return 0;
}
