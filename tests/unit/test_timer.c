/*
 * test_timer: the heap of timers against a plain list, at random, with callbacks that start,
 * move and stop others.
 */
#include "config.h"
#include "superd/loop_timer.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define TIMERS 200

struct model;

/* A timer and what the list knows of it. */
struct item {
	struct loop_timer timer; /* first */
	struct model *model;
	bool is_started;
	bool is_late; /* started while firing: not before the next time */
	int64_t key_ns;
	int64_t due_ns;
};

struct model {
	struct loop_timers timers;
	struct item items[TIMERS];
	bool is_firing;
	int64_t now_ns;
	unsigned fired;
};

static int64_t random_below(int64_t limit)
{
	return random() % limit;
}

static void start(struct model *model, struct item *item, int64_t due_ns)
{
	assert_int_equal(loop_timers_start(&model->timers, &item->timer, due_ns), 0);
	assert_int_equal(item->timer.due_ns, due_ns);
	item->is_started = true;
	item->is_late = model->is_firing;
	item->due_ns = due_ns;
	item->key_ns = due_ns;
	if (model->is_firing && due_ns <= model->now_ns)
		item->key_ns = model->now_ns + 1;
}

static void stop(struct model *model, struct item *item)
{
	loop_timers_stop(&model->timers, &item->timer);
	assert_int_equal(item->timer.slot, 0);
	item->is_started = false;
}

static bool comes_before(const struct item *a, const struct item *b)
{
	return a->key_ns != b->key_ns ? a->key_ns < b->key_ns : a->due_ns < b->due_ns;
}

static void do_something(struct model *model)
{
	struct item *item = &model->items[random_below(TIMERS)];

	if (random_below(3) == 0)
		stop(model, item);
	else
		start(model, item, model->now_ns - 50 + random_below(500));
}

static void on_fire(struct loop_timer *timer)
{
	struct item *item = (struct item *)timer;
	struct model *model = item->model;

	assert_true(item->is_started);
	assert_false(item->is_late);
	assert_true(item->due_ns <= model->now_ns);
	assert_int_equal(timer->slot, 0);
	for (int i = 0; i < TIMERS; i++)
		if (model->items[i].is_started)
			assert_false(comes_before(&model->items[i], item));
	item->is_started = false;
	model->fired++;
	for (int64_t i = random_below(4); i > 0; i--)
		do_something(model);
}

static void fire(struct model *model)
{
	for (int i = 0; i < TIMERS; i++)
		model->items[i].is_late = false;
	model->is_firing = true;
	loop_timers_fire(&model->timers, model->now_ns);
	model->is_firing = false;
}

static void check(const struct model *model)
{
	size_t started = 0;

	for (int i = 0; i < TIMERS; i++) {
		const struct item *item = &model->items[i];

		assert_true(item->is_started == (item->timer.slot != 0));
		if (item->is_started && item->key_ns <= model->now_ns)
			assert_true(item->is_late);
		started += item->is_started;
	}
	assert_int_equal(model->timers.count, started);
}

static void test_random(void **unused)
{
	unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
	struct model *model = calloc(1, sizeof(*model));

	(void)unused;
	print_message("seed %u\n", seed);
	srandom(seed);
	assert_non_null(model);
	for (int i = 0; i < TIMERS; i++)
		model->items[i] = (struct item){.timer = {.fire_cb = on_fire}, .model = model};
	for (int round = 0; round < 3000; round++) {
		for (int64_t i = random_below(20); i > 0; i--)
			do_something(model);
		model->now_ns += random_below(100);
		fire(model);
		check(model);
	}
	assert_true(model->fired > 1000);
	loop_timers_free(&model->timers);
	free(model);
}

struct series {
	struct loop_timer timer; /* first */
	struct loop_timers *timers;
	int64_t *last_ns;
	unsigned *fired;
};

static void on_series(struct loop_timer *timer)
{
	struct series *one = (struct series *)timer;

	assert_true(timer->due_ns >= *one->last_ns);
	*one->last_ns = timer->due_ns;
	(*one->fired)++;
}

/* Many: rising, falling and mixed times; every third one is stopped, every fifth one moved. */
static void test_many(void **unused)
{
	enum { COUNT = 100000 };
	struct loop_timers timers = {0};
	struct series *all = calloc(COUNT, sizeof(*all));
	int64_t last_ns = INT64_MIN;
	unsigned fired = 0;
	unsigned stopped = 0;

	(void)unused;
	assert_non_null(all);
	for (int64_t i = 0; i < COUNT; i++) {
		int64_t due = i % 3 == 0 ? i : i % 3 == 1 ? COUNT - i : i * 7919 % COUNT;

		all[i] = (struct series){.timer = {.fire_cb = on_series},
			.timers = &timers,
			.last_ns = &last_ns,
			.fired = &fired};
		assert_int_equal(loop_timers_start(&timers, &all[i].timer, due), 0);
	}
	for (int64_t i = 0; i < COUNT; i++) {
		if (i % 5 == 0)
			assert_int_equal(
				loop_timers_start(&timers, &all[i].timer, i * 31 % COUNT), 0);
		if (i % 3 == 0) {
			loop_timers_stop(&timers, &all[i].timer);
			loop_timers_stop(&timers, &all[i].timer);
			stopped++;
		}
	}
	for (int64_t now = 0; now <= COUNT; now += COUNT / 10)
		loop_timers_fire(&timers, now);
	assert_int_equal(fired, COUNT - stopped);
	assert_int_equal(timers.count, 0);
	loop_timers_free(&timers);
	free(all);
}

static void on_again(struct loop_timer *timer)
{
	struct series *one = (struct series *)timer;

	(*one->fired)++;
	loop_timers_start(one->timers, timer, 0);
}

/* One that starts itself long overdue fires once a time, and does not hold up the others. */
static void test_overdue_chain(void **unused)
{
	struct loop_timers timers = {0};
	unsigned fired[2] = {0};
	int64_t last_ns = INT64_MIN;
	struct series again = {
		.timer = {.fire_cb = on_again}, .timers = &timers, .fired = &fired[0]};
	struct series other = {.timer = {.fire_cb = on_series},
		.timers = &timers,
		.last_ns = &last_ns,
		.fired = &fired[1]};

	(void)unused;
	loop_timers_start(&timers, &again.timer, 0);
	loop_timers_start(&timers, &other.timer, 10);
	loop_timers_fire(&timers, 10);
	assert_int_equal(fired[0], 1);
	assert_int_equal(fired[1], 1);
	loop_timers_fire(&timers, 10);
	assert_int_equal(fired[0], 1);
	loop_timers_fire(&timers, 11);
	assert_int_equal(fired[0], 2);
	loop_timers_free(&timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_overdue_chain),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
