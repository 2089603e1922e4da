/*
 * Tests of services/chatroom/queue: a ring, against a model.
 */
#include "config.h"

#include "services/chatroom/queue.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void what_does_not_fit_is_left_out_whole(void **state)
{
	const char *bytes;
	struct queue queue;

	(void)state;
	assert_int_equal(queue_init(&queue, 8), 0);
	assert_true(queue_push(&queue, "hello", 5));
	assert_int_equal(queue_space(&queue), 3);
	assert_false(queue_push(&queue, "four", 4));
	assert_int_equal(queue.used, 5);
	assert_true(queue_push(&queue, "you", 3));
	assert_int_equal(queue_space(&queue), 0);
	assert_true(queue_push(&queue, "", 0));
	assert_false(queue_push(&queue, "x", 1));
	assert_int_equal(queue_peek(&queue, &bytes), 8);
	assert_memory_equal(bytes, "helloyou", 8);
	queue_free(&queue);
}

static void it_goes_round(void **state)
{
	const char *bytes;
	struct queue queue;

	(void)state;
	assert_int_equal(queue_init(&queue, 8), 0);
	assert_true(queue_push(&queue, "abcdef", 6));
	queue_drop(&queue, 4);
	assert_true(queue_push(&queue, "ghijkl", 6));
	assert_int_equal(queue_peek(&queue, &bytes), 4);
	assert_memory_equal(bytes, "efgh", 4);
	queue_drop(&queue, 4);
	assert_int_equal(queue_peek(&queue, &bytes), 4);
	assert_memory_equal(bytes, "ijkl", 4);
	queue_drop(&queue, 4);
	assert_int_equal(queue_peek(&queue, &bytes), 0);
	queue_free(&queue);
}

/* Random pushes and drops: the bytes come out as they went in. */
static void random_against_a_model(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	unsigned char in = 0, out = 0;
	size_t held = 0;
	struct queue queue;

	(void)state;
	printf("# seed %u\n", seed);
	srand(seed);
	assert_int_equal(queue_init(&queue, 61), 0);
	for (int i = 0; i < 200000; i++) {
		char message[80];
		size_t count = (size_t)rand() % sizeof(message);
		const char *bytes;

		for (size_t k = 0; k < count; k++)
			message[k] = (char)(in + k);
		if (queue_push(&queue, message, count)) {
			in = (unsigned char)(in + count);
			held += count;
		} else {
			assert_true(count > 61 - held);
		}
		assert_int_equal(queue.used, held);
		assert_int_equal(queue_space(&queue), 61 - held);
		count = queue_peek(&queue, &bytes);
		assert_true(held == 0 || count > 0);
		count = (size_t)rand() % (count + 1);
		for (size_t k = 0; k < count; k++)
			assert_int_equal((unsigned char)bytes[k], out++);
		queue_drop(&queue, count);
		held -= count;
	}
	queue_free(&queue);
}

/* AddressSanitizer ends a program that asks for too much, unless it is told otherwise. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void no_memory_is_an_error(void **state)
{
	struct queue queue;

	(void)state;
	assert_int_equal(queue_init(&queue, SIZE_MAX / 2), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_left_out_whole),
		cmocka_unit_test(it_goes_round),
		cmocka_unit_test(random_against_a_model),
		cmocka_unit_test(no_memory_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
