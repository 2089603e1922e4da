/*
 * test_limit_table: records used, retired, evicted and expired at random, against a plain array
 * in which the record to go is looked for one by one.
 */
#include "config.h"
#include "superd/limit_table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

#define KEYS_MAX 600
#define STEPS 30000

enum condition { ABSENT, BUSY, IDLE };

struct model {
	size_t keys;
	size_t idle_max;
	enum condition conditions[KEYS_MAX];
	int64_t full_ns[KEYS_MAX];
};

static struct limit_key key_number(size_t number)
{
	struct limit_key key = {{0}};

	key.words[number % LIMIT_KEY_WORDS] = (uint32_t)number;
	key.words[(number + 1) % LIMIT_KEY_WORDS] = 0x10000;
	return key;
}

/* The idle key whose bucket is full soonest; keys if none is idle.  *count becomes how many. */
static size_t model_first(const struct model *model, size_t *count)
{
	size_t first = model->keys;

	*count = 0;
	for (size_t i = 0; i < model->keys; i++) {
		if (model->conditions[i] != IDLE)
			continue;
		++*count;
		if (first == model->keys || model->full_ns[i] < model->full_ns[first])
			first = i;
	}
	return first;
}

static void model_retire(struct model *model, size_t which)
{
	size_t count;
	size_t first;

	model->conditions[which] = IDLE;
	first = model_first(model, &count);
	if (count > model->idle_max)
		model->conditions[first] = ABSENT;
}

static void model_expire(struct model *model, int64_t now_ns, unsigned most)
{
	size_t count;
	size_t first;

	while (most-- > 0 && (first = model_first(model, &count)) < model->keys &&
		model->full_ns[first] <= now_ns)
		model->conditions[first] = ABSENT;
}

static void compare(const struct model *model, const struct limit_table *table)
{
	size_t present = 0;
	size_t idle;

	model_first(model, &idle);
	assert_int_equal(table->idle_count, idle);
	for (size_t i = 0; i < model->keys; i++) {
		struct limit_key key = key_number(i);
		const struct limit_source *source = limit_table_find(table, &key);

		assert_int_equal(source != NULL, model->conditions[i] != ABSENT);
		if (source == NULL)
			continue;
		present++;
		assert_int_equal(source->full_ns, model->full_ns[i]);
		assert_int_equal(source->slot != LIMIT_NOT_IDLE, model->conditions[i] == IDLE);
	}
	assert_int_equal(table->count, present);
}

/* Debts are all different, so that there is one record to go. */
static void step(struct model *model, struct limit_table *table, int64_t number)
{
	size_t which = (size_t)random() % model->keys;
	int64_t full_ns = (random() % 1000) * STEPS + number;
	struct limit_key key = key_number(which);
	struct limit_source *source = limit_table_find(table, &key);

	switch (random() % 8) {
	case 0:
		limit_table_expire(table, full_ns, 3);
		model_expire(model, full_ns, 3);
		break;
	case 1:
		if (model->conditions[which] != BUSY)
			break;
		limit_table_drop(table, source);
		model->conditions[which] = ABSENT;
		break;
	case 2:
	case 3:
	case 4:
		if (model->conditions[which] != BUSY)
			break;
		limit_table_retire(table, source);
		model_retire(model, which);
		break;
	default:
		source = limit_table_use(table, &key);
		assert_non_null(source);
		if (model->conditions[which] == ABSENT)
			assert_int_equal(source->full_ns, 0);
		source->full_ns = full_ns;
		model->conditions[which] = BUSY;
		model->full_ns[which] = full_ns;
	}
}

static void test_random_against_model(void **state)
{
	static const struct {
		size_t keys;
		size_t idle_max;
	} sizes[] = {{10, 0}, {10, 1}, {40, 8}, {KEYS_MAX, 200}, {KEYS_MAX, KEYS_MAX}};
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("# seed %u\n", seed);
	srandom(seed);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct model model = {.keys = sizes[i].keys, .idle_max = sizes[i].idle_max};
		struct limit_table table;

		assert_int_equal(limit_table_init(&table, sizes[i].idle_max), 0);
		for (int64_t number = 0; number < STEPS; number++) {
			step(&model, &table, number);
			if (number % (STEPS / 300) == 0)
				compare(&model, &table);
			if (number == STEPS / 2) {
				limit_table_clear(&table);
				memset(model.conditions, 0, sizeof(model.conditions));
			}
		}
		compare(&model, &table);
		limit_table_free(&table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
