/*
 * test_limit_carry: what a table of sources remembers, taken over by another one: the same
 * verdicts as if nothing had happened, nothing where the rules changed, and never more than can
 * be owed, whatever a snapshot says.
 */
#include "config.h"
#include "superd/limit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "superd/clock.h"
#include "tests/unit/unit.h"

#define SECOND CLOCK_NS_PER_S
#define SOURCES 40

static const struct limit_policy policy = {.burst = 3,
	.rate = {5, SECOND},
	.per_source_rate = {1, SECOND},
	.source_prefix4 = 32,
	.source_prefix6 = 64};

static struct peer peer_number(uint32_t number)
{
	struct peer peer = {.family = AF_INET};
	uint32_t address = htonl(number);

	memcpy(peer.u.ip, &address, sizeof(address));
	return peer;
}

static struct limit *limit_make(const struct limit_policy *rules)
{
	struct limit *limit = limit_new();

	assert_non_null(limit);
	limit_set_policy(limit, rules);
	return limit;
}

/* A table with rules that remembers what limit does. */
static struct limit *limit_carry(
	const struct limit *limit, const struct limit_policy *rules, int64_t now_ns)
{
	struct limit *heir = limit_make(rules);
	struct limit_snapshot snapshot;

	assert_int_equal(limit_export(limit, now_ns, &snapshot), 0);
	limit_import(heir, &snapshot, now_ns);
	free(snapshot.records);
	return heir;
}

/* Random commits and releases; after each round the heir says what the old one says. */
static void test_the_heir_judges_alike(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	struct limit *limit = limit_make(&policy);
	unsigned running[SOURCES] = {0};
	int64_t now_ns = SECOND;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 300; round++) {
		uint32_t number = (uint32_t)random() % SOURCES;
		struct peer peer = peer_number(number);
		struct limit *heir;

		now_ns += random() % (SECOND / 4);
		if (random() % 2 == 0 && limit_check(limit, &peer, now_ns) == LIMIT_OK) {
			assert_int_equal(limit_commit(limit, &peer, now_ns), 0);
			running[number]++;
		} else if (running[number] > 0) {
			limit_release(limit, &peer);
			running[number]--;
		}
		heir = limit_carry(limit, &policy, now_ns);
		for (uint32_t i = 0; i < SOURCES; i++) {
			peer = peer_number(i);
			for (unsigned j = 0; j < running[i]; j++)
				assert_int_equal(limit_adopt(heir, &peer), 0);
			assert_int_equal(limit_running(heir, &peer), running[i]);
			for (int64_t later = 0; later < 4; later++)
				assert_int_equal(limit_check(heir, &peer, now_ns + later * SECOND),
					limit_check(limit, &peer, now_ns + later * SECOND));
		}
		limit_free(heir);
	}
	limit_free(limit);
}

static void test_other_rules_begin_anew(void **state)
{
	const struct limit_policy faster = {.burst = 3,
		.rate = {6, SECOND},
		.per_source_rate = {2, SECOND},
		.source_prefix4 = 32,
		.source_prefix6 = 64};
	const struct limit_policy wider = {.burst = 3,
		.rate = {5, SECOND},
		.per_source_rate = {1, SECOND},
		.source_prefix4 = 24,
		.source_prefix6 = 64};
	struct limit *limit = limit_make(&policy);
	struct peer peer = peer_number(7);
	struct limit *heir;
	int64_t now_ns = SECOND;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(limit_commit(limit, &peer, now_ns), 0);
	assert_int_equal(limit_check(limit, &peer, now_ns), LIMIT_PER_SOURCE_RATE);
	heir = limit_carry(limit, &faster, now_ns);
	assert_int_equal(limit_check(heir, &peer, now_ns), LIMIT_OK);
	limit_free(heir);
	heir = limit_carry(limit, &wider, now_ns);
	assert_int_equal(limit_check(heir, &peer, now_ns), LIMIT_RATE);
	limit_free(heir);
	limit_free(limit);
}

static void test_no_snapshot_shuts_anybody_out_for_ever(void **state)
{
	struct limit *limit = limit_make(&policy);
	struct peer peer = peer_number(7);
	struct limit_snapshot snapshot;
	struct limit_usage usage;
	int64_t now_ns = SECOND;

	(void)state;
	assert_int_equal(limit_commit(limit, &peer, now_ns), 0);
	assert_int_equal(limit_export(limit, now_ns, &snapshot), 0);
	assert_int_equal(snapshot.record_count, 1);
	snapshot.full_ns = INT64_MAX;
	snapshot.records[0].full_ns = INT64_MAX;
	limit_free(limit);
	limit = limit_make(&policy);
	limit_import(limit, &snapshot, now_ns);
	free(snapshot.records);
	assert_int_equal(limit_check(limit, &peer, now_ns), LIMIT_PER_SOURCE_RATE);
	assert_int_equal(limit_check(limit, &peer, now_ns + 3 * SECOND), LIMIT_OK);
	limit_usage(limit, &usage);
	assert_int_equal(usage.idle, 1);
	assert_int_equal(usage.running, 0);
	limit_free(limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_heir_judges_alike),
		cmocka_unit_test(test_other_rules_begin_anew),
		cmocka_unit_test(test_no_snapshot_shuts_anybody_out_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
