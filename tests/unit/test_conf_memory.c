/*
 * conf_map, conf_pool, conf_arena: what the loader keeps things in.
 */
#include "config.h"
#include "superd/conf_arena.h"
#include "superd/conf_map.h"
#include "superd/conf_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void full_cb(void *owner) __attribute__((noreturn));

static void full_cb(void *owner)
{
	longjmp(*(jmp_buf *)owner, 1);
}

static void test_map(void **state)
{
	jmp_buf full;
	struct conf_pool pool = {.full_cb = full_cb, .owner = &full};
	struct conf_map map = {.pool = &pool};
	static int numbers[5000];
	size_t i;

	(void)state;
	assert_null(conf_map_get(&map, "x", 1));
	for (i = 0; i < 5000; i++) {
		numbers[i] = (int)(i * 7919);
		conf_map_put(&map, &numbers[i], sizeof(numbers[i]), &numbers[i]);
	}
	for (i = 0; i < 5000; i++)
		assert_ptr_equal(conf_map_get(&map, &numbers[i], sizeof(numbers[i])), &numbers[i]);
	assert_null(conf_map_get(&map, "x", 1));
	conf_map_put(&map, "", 0, &map);
	assert_ptr_equal(conf_map_get(&map, "", 0), &map);
	conf_map_put(&map, &numbers[9], sizeof(numbers[9]), &map);
	assert_ptr_equal(conf_map_get(&map, &numbers[9], sizeof(numbers[9])), &map);
	assert_int_equal(map.used, 5001);
	conf_pool_free(&pool);
}

static void test_pool(void **state)
{
	jmp_buf full;
	struct conf_pool pool = {.full_cb = full_cb, .owner = &full};
	size_t i, capacity = 0;
	int *list = NULL;

	(void)state;
	for (i = 0; i < 1000; i++) {
		list = conf_pool_grow(&pool, list, i, &capacity, sizeof(*list));
		list[i] = (int)i;
	}
	for (i = 0; i < 1000; i++)
		assert_int_equal(list[i], i);
	assert_string_equal(conf_pool_format(&pool, "%s-%d", "a", 5), "a-5");
	assert_string_equal(conf_pool_string(&pool, "abcdef", 3), "abc");
	conf_pool_free(&pool);
	assert_null(pool.first);
}

static void test_arena(void **state)
{
	_Alignas(64) static char memory[256];
	jmp_buf full;
	struct conf_arena arena = {
		.base = memory, .size = sizeof(memory), .full_cb = full_cb, .owner = &full};
	volatile int ended = 0;
	char *bytes;

	(void)state;
	assert_null(conf_arena_string(&arena, NULL));
	assert_string_equal(conf_arena_string(&arena, "abc"), "abc");
	bytes = conf_arena_alloc(&arena, 100);
	assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
	assert_true(bytes >= memory + 4 && bytes + 100 <= memory + sizeof(memory));
	if (setjmp(full) == 0)
		conf_arena_alloc(&arena, SIZE_MAX);
	else
		ended++;
	if (setjmp(full) == 0)
		conf_arena_alloc(&arena, 200);
	else
		ended++;
	assert_int_equal(ended, 2);
	conf_arena_alloc(&arena, sizeof(memory) - arena.used - 16);
	assert_true(arena.used <= sizeof(memory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
