/*
 * test_reload_plan: what becomes of each service, in which order, and how it is told.
 */
#include "config.h"
#include "superd/reload_plan.h"
#include "tests/unit/conf_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* As running services of a configuration, as far as a plan looks at them. */
struct world {
	const struct conf *conf;
	struct service_list list;
};

static const struct conf *load(const char *text)
{
	struct conf_text_folder folder;
	const struct conf *conf;

	conf_text_begin(&folder);
	conf_text_write(&folder, "a.conf", text);
	conf = conf_text_load(&folder, "a.conf");
	conf_text_end(&folder);
	return conf;
}

static void world_begin(struct world *world, const char *text)
{
	size_t count = 0;
	struct service **items;
	struct service **by_name;

	*world = (struct world){.conf = load(text)};
	items = calloc(world->conf->service_count + 1, sizeof(struct service *));
	by_name = calloc(world->conf->service_count + 1, sizeof(struct service *));
	for (size_t i = 0; i < world->conf->service_count; i++) {
		if (!world->conf->services[i].enabled)
			continue;
		items[count] = calloc(1, sizeof(struct service));
		items[count]->running = (unsigned)i + 1;
		items[count++]->conf = &world->conf->services[i];
	}
	service_list_sort(items, by_name, count);
	assert_null(service_list_replace(&world->list, items, by_name, count));
}

static void world_end(struct world *world)
{
	for (size_t i = 0; i < world->list.count; i++)
		free(world->list.items[i]);
	free(world->list.items);
	free(world->list.by_name);
	conf_free(world->conf);
}

/* The lines of the plan from one text to another. */
static char *plan_of(const char *from, const char *to, char *lines, size_t size)
{
	const struct conf *conf = load(to);
	struct reload_plan plan = {0};
	char line[RELOAD_LINE_SIZE];
	size_t counted = 0;
	struct error error;
	struct world world;

	world_begin(&world, from);
	assert_int_equal(reload_plan_begin(&plan, &world.list, conf, &error), 0);
	while (reload_plan_step(&plan))
		;
	lines[0] = '\0';
	for (size_t i = 0; i < plan.count; i++) {
		strncat(lines, reload_item_format(&plan.items[i], line), size - strlen(lines) - 2);
		strcat(lines, "\n");
	}
	for (int i = 0; i < RELOAD_DEEDS; i++)
		counted += plan.counts[i];
	assert_int_equal(counted, plan.count);
	reload_plan_end(&plan);
	assert_null(plan.items);
	world_end(&world);
	conf_free(conf);
	return lines;
}

#define A "service a { listen = 7000 exec = /bin/cat }\n"
#define B "service b { listen = 7001 exec = /bin/cat }\n"
#define C "service c { listen = 7002 exec = /bin/cat }\n"
#define A_OFF "service a { listen = 7000 exec = /bin/cat enabled = no }\n"
#define B_NICE "service b { listen = 7001 exec = /bin/cat nice = 1 }\n"

static void test_plans(void **state)
{
	static const struct {
		const char *from, *to, *lines;
	} cases[] = {
		{A, A, "keep a 0\n"},
		{A B C, A B C, "keep a 0\nkeep b 0\nkeep c 0\n"},
		{A B C, C B A, "keep c 0\nkeep b 0\nkeep a 0\n"},
		{A B, B_NICE A, "change b 2\nkeep a 0\n"},
		{A B, B C, "keep b 0\nadd c 0\nremove a 1\n"},
		{A, C, "add c 0\nremove a 1\n"},
		{A B, A_OFF B, "keep b 0\nremove a 1\n"},
		{A_OFF B, A B, "add a 0\nkeep b 0\n"},
		{A_OFF B, A_OFF B, "keep b 0\n"},
		{A B C, A_OFF, "remove a 1\nremove b 2\nremove c 3\n"},
		{A, "service a { listen = 7009 exec = /bin/cat }", "change a 1\n"},
	};
	char lines[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			plan_of(cases[i].from, cases[i].to, lines, sizeof(lines)), cases[i].lines);
}

/* One that is retired comes back: added, and told so. */
static void test_return(void **state)
{
	const struct conf *conf = load(A B);
	struct service other = {.conf = &conf->services[1]};
	struct service again = {.conf = &conf->services[0], .retired_next = &other, .running = 3};
	struct reload_plan plan = {0};
	char line[RELOAD_LINE_SIZE];
	struct error error;
	struct world world;

	(void)state;
	world_begin(&world, B);
	world.list.retired = &again;
	assert_ptr_equal(service_list_find_retired(&world.list, "a"), &again);
	assert_ptr_equal(service_list_find_retired(&world.list, "b"), &other);
	assert_null(service_list_find_retired(&world.list, "c"));
	assert_int_equal(reload_plan_begin(&plan, &world.list, conf, &error), 0);
	while (reload_plan_step(&plan))
		;
	assert_int_equal(plan.count, 2);
	assert_int_equal(plan.items[0].deed, RELOAD_ADD);
	assert_ptr_equal(plan.items[0].service, &again);
	assert_string_equal(reload_item_format(&plan.items[0], line), "add a 0");
	assert_int_equal(plan.items[1].deed, RELOAD_KEEP);
	assert_ptr_equal(plan.items[1].service, world.list.items[0]);
	reload_plan_end(&plan);
	service_list_take_back(&world.list, &other);
	assert_null(again.retired_next);
	service_list_take_back(&world.list, &again);
	assert_null(world.list.retired);
	world_end(&world);
	conf_free(conf);
}

/* Random subsets in random order against sets made by hand. */
static void test_random(void **state)
{
	enum { NAMES = 40 };

	(void)state;
	srand(20261121);
	for (int round = 0; round < 20; round++) {
		char from[8192] = "service z { listen = 9 exec = /bin/cat }\n";
		char to[8192] = "service z { listen = 9 exec = /bin/cat }\n";
		unsigned wanted[RELOAD_DEEDS] = {1};
		unsigned got[RELOAD_DEEDS] = {0};
		char lines[8192];

		for (int k = 0; k < NAMES; k++) {
			int i = (k * 7 + round) % NAMES; /* another order in each */
			bool in = rand() % 2;
			bool out = rand() % 2;
			int nice = rand() % 2;

			if (in)
				sprintf(from + strlen(from),
					"service s%d { listen = %d exec = /bin/cat }\n", k,
					7000 + k);
			if (out)
				sprintf(to + strlen(to),
					"service s%d { listen = %d exec = /bin/cat nice = %d }\n",
					k, 7000 + k, nice);
			(void)i;
			if (in && out)
				wanted[nice ? RELOAD_CHANGE : RELOAD_KEEP]++;
			else if (in || out)
				wanted[in ? RELOAD_REMOVE : RELOAD_ADD]++;
		}
		plan_of(from, to, lines, sizeof(lines));
		for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n")) {
			for (int deed = 0; deed < RELOAD_DEEDS; deed++) {
				const char *name = reload_deed_name((enum reload_deed)deed);

				got[deed] += strncmp(line, name, strlen(name)) == 0;
			}
		}
		assert_memory_equal(got, wanted, sizeof(got));
	}
}

static void test_list(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, C A B);
	assert_string_equal(world.list.items[0]->conf->name, "c");
	assert_ptr_equal(service_list_find(&world.list, "c"), world.list.items[0]);
	assert_ptr_equal(service_list_find(&world.list, "a"), world.list.items[1]);
	assert_ptr_equal(service_list_find(&world.list, "b"), world.list.items[2]);
	assert_null(service_list_find(&world.list, "d"));
	assert_null(service_list_find(&world.list, ""));
	assert_null(service_list_find(&(struct service_list){0}, "a"));
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_return),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
