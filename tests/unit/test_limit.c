/*
 * test_limit: sources and their counts, against a naive model.
 */
#include "config.h"
#include "superd/limit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/unit.h"

#define SOURCES 300

static struct peer peer_of(const char *text)
{
	struct peer peer = {.family = AF_INET};

	if (inet_pton(AF_INET, text, peer.u.ip) != 1) {
		peer.family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, peer.u.ip), 1);
	}
	return peer;
}

static void test_what_makes_one_source(void **state)
{
	static const struct {
		const char *one;
		const char *other;
		int same;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1", 1},
		{"192.0.2.1", "192.0.2.2", 0},
		{"2001:db8::1", "2001:db8::ffff:1", 1},
		{"2001:db8::1", "2001:db8:0:1::1", 0},
		{"0.0.0.0", "::", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limit *limit = limit_new();
		struct peer one = peer_of(cases[i].one);
		struct peer other = peer_of(cases[i].other);

		assert_int_equal(limit_commit(limit, &one), 0);
		assert_int_equal(limit_running(limit, &other), cases[i].same);
		limit_release(limit, &one);
		assert_int_equal(limit_running(limit, &one), 0);
		limit_free(limit);
	}
}

static void test_random_against_model(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	unsigned model[SOURCES] = {0};
	struct limit *limit = limit_new();

	(void)state;
	printf("# seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 20000; i++) {
		int which = rand() % SOURCES;
		struct peer peer = {.family = AF_INET, .u.ip = {10, 0}};

		peer.u.ip[2] = (uint8_t)(which >> 8);
		peer.u.ip[3] = (uint8_t)which;
		assert_int_equal(limit_running(limit, &peer), model[which]);
		if (model[which] > 0 && rand() % 2 == 0) {
			limit_release(limit, &peer);
			model[which]--;
		} else {
			assert_int_equal(limit_commit(limit, &peer), 0);
			model[which]++;
		}
	}
	limit_free(limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_makes_one_source),
		cmocka_unit_test(test_random_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
