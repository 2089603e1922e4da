/*
 * test_limit: sources, their counts and their buckets, by table and against a naive model; and
 * what a flood of sources may cost.
 */
#include "config.h"
#include "superd/limit.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "superd/clock.h"
#include "tests/unit/unit.h"

#define MS CLOCK_NS_PER_MS
#define SECOND CLOCK_NS_PER_S
#define FLOOD 1000000U
#define GROWTH_MAX 65536U

/* An address, or "unix:UID". */
static struct peer peer_of(const char *text)
{
	struct peer peer = {.family = AF_INET};

	if (strncmp(text, "unix:", 5) == 0) {
		peer.family = AF_UNIX;
		peer.u.cred.uid = (uid_t)strtoul(text + 5, NULL, 10);
		peer.u.cred.pid = (pid_t)random(); /* makes no difference */
	} else if (inet_pton(AF_INET, text, peer.u.ip) != 1) {
		peer.family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, peer.u.ip), 1);
	}
	return peer;
}

static struct peer peer_number(uint32_t number)
{
	struct peer peer = {.family = AF_INET};
	uint32_t address = htonl(number);

	memcpy(peer.u.ip, &address, sizeof(address));
	return peer;
}

static struct limit *limit_make(const struct limit_policy *policy)
{
	struct limit *limit = limit_new();

	assert_non_null(limit);
	limit_set_policy(limit, policy);
	return limit;
}

/* Bytes in use of the whole process; 0 where the allocator keeps no account (sanitizers). */
static size_t memory_used(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void test_what_makes_one_source(void **state)
{
	static const struct {
		unsigned prefix4;
		unsigned prefix6;
		const char *one;
		const char *other;
		uint32_t same;
	} cases[] = {
		{32, 64, "192.0.2.1", "192.0.2.1", 1},
		{32, 64, "192.0.2.1", "192.0.2.2", 0},
		{24, 64, "192.0.2.1", "192.0.2.255", 1},
		{24, 64, "192.0.2.1", "192.0.3.1", 0},
		{1, 64, "127.0.0.1", "128.0.0.0", 0},
		{0, 64, "0.0.0.0", "255.255.255.255", 1},
		{32, 64, "2001:db8::1", "2001:db8::ffff:0:0:1", 1},
		{32, 64, "2001:db8::1", "2001:db8:0:1::1", 0},
		{32, 56, "2001:db8::1", "2001:db8:0:ff::1", 1},
		{32, 56, "2001:db8::1", "2001:db8:0:100::1", 0},
		{32, 65, "2001:db8::1", "2001:db8::8000:0:0:1", 0},
		{32, 128, "2001:db8::1", "2001:db8::2", 0},
		{32, 128, "2001:db8::1", "2001:db8::1", 1},
		{32, 0, "::", "ffff:ffff::", 1},
		{0, 0, "0.0.0.0", "::", 0},
		{32, 64, "unix:7", "unix:7", 1},
		{32, 64, "unix:7", "unix:8", 0},
		{0, 0, "unix:0", "0.0.0.0", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limit_policy policy = {.burst = 1,
			.source_prefix4 = cases[i].prefix4,
			.source_prefix6 = cases[i].prefix6};
		struct limit *limit = limit_make(&policy);
		struct peer one = peer_of(cases[i].one);
		struct peer other = peer_of(cases[i].other);

		assert_int_equal(limit_commit(limit, &one, 0), 0);
		assert_int_equal(limit_running(limit, &other), cases[i].same);
		limit_release(limit, &one);
		assert_int_equal(limit_running(limit, &one), 0);
		limit_free(limit);
	}
}

static void test_per_source(void **state)
{
	static const struct {
		const char *peer;
		bool local_exempt;
		enum limit_verdict expected; /* with two open */
	} cases[] = {
		{"192.0.2.1", false, LIMIT_PER_SOURCE},
		{"192.0.2.1", true, LIMIT_PER_SOURCE},
		{"127.0.0.1", false, LIMIT_PER_SOURCE},
		{"127.0.0.1", true, LIMIT_OK},
		{"127.255.255.255", true, LIMIT_OK},
		{"128.0.0.1", true, LIMIT_PER_SOURCE},
		{"::1", false, LIMIT_PER_SOURCE},
		{"::1", true, LIMIT_OK},
		{"::2", true, LIMIT_PER_SOURCE},
		{"unix:0", false, LIMIT_PER_SOURCE},
		{"unix:0", true, LIMIT_OK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limit_policy policy = {.burst = 1,
			.per_source = 2,
			.local_exempt = cases[i].local_exempt,
			.source_prefix4 = 32,
			.source_prefix6 = 64};
		struct limit *limit = limit_make(&policy);
		struct peer peer = peer_of(cases[i].peer);

		for (int open = 0; open < 2; open++) {
			assert_int_equal(limit_check(limit, &peer, 0), LIMIT_OK);
			assert_int_equal(limit_commit(limit, &peer, 0), 0);
		}
		assert_int_equal(limit_check(limit, &peer, 0), cases[i].expected);
		limit_release(limit, &peer);
		assert_int_equal(limit_check(limit, &peer, 0), LIMIT_OK);
		limit_free(limit);
	}
}

/* How many connections in a row are accepted at now_ns. */
static unsigned accepted(struct limit *limit, const struct peer *peer, int64_t now_ns)
{
	unsigned count = 0;

	while (count < 1000 && limit_check(limit, peer, now_ns) == LIMIT_OK) {
		assert_int_equal(limit_commit(limit, peer, now_ns), 0);
		limit_release(limit, peer);
		count++;
	}
	return count;
}

static void test_rates(void **state)
{
	static const struct {
		struct limit_rate rate;
		unsigned burst;
		struct {
			int64_t at_ns;
			unsigned accepted;
		} steps[5];
	} cases[] = {
		{{10, SECOND}, 10,
			{{0, 10}, {99 * MS, 0}, {100 * MS, 1}, {SECOND, 9}, {SECOND, 0}}},
		{{10, SECOND}, 1,
			{{0, 1}, {99 * MS, 0}, {100 * MS, 1}, {900 * MS, 1}, {SECOND, 1}}},
		{{3, 10 * SECOND}, 2,
			{{5, 2}, {3333333337, 0}, {3333333338, 1}, {100 * SECOND, 2},
				{200 * SECOND, 2}}},
		{{1, 86400 * SECOND}, 5, {{0, 5}, {86399 * SECOND, 0}, {86400 * SECOND, 1}}},
		{{UINT32_MAX, 1}, 3, {{0, 3}, {1, 1}, {10, 3}}}, /* cut to one a nanosecond */
		{{1, INT64_MAX}, UINT32_MAX,
			{{0, 2}}}, /* a debt has an end, or sums would overflow */
		{{0, 0}, 1, {{0, 1000}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int which = 0; which < 2; which++) {
			struct limit_policy policy = {
				.burst = cases[i].burst, .source_prefix4 = 32};
			struct peer peer = peer_of("192.0.2.1");
			struct limit *limit;

			*(which == 0 ? &policy.rate : &policy.per_source_rate) = cases[i].rate;
			limit = limit_make(&policy);
			for (size_t step = 0; step < 5; step++) {
				if (cases[i].steps[step].accepted == 0 &&
					cases[i].steps[step].at_ns == 0)
					break;
				assert_int_equal(accepted(limit, &peer, cases[i].steps[step].at_ns),
					cases[i].steps[step].accepted);
			}
			limit_free(limit);
		}
	}
}

static void test_new_policy(void **state)
{
	const struct limit_policy slow = {.burst = 2,
		.rate = {1000, SECOND},
		.per_source_rate = {1, SECOND},
		.source_prefix4 = 32};
	const struct limit_policy same = slow;
	const struct limit_policy fast = {
		.burst = 2, .per_source_rate = {2, SECOND}, .source_prefix4 = 32};
	const struct limit_policy wide = {
		.burst = 2, .per_source_rate = {2, SECOND}, .source_prefix4 = 24};
	struct limit *limit = limit_new();
	struct peer peer = peer_of("192.0.2.1");
	struct peer near = peer_of("192.0.2.2");
	struct limit_usage usage;

	(void)state;
	assert_true(limit_set_policy(limit, &slow)); /* prefix6 64 became 0 */
	assert_int_equal(accepted(limit, &peer, 0), 2);
	assert_int_equal(accepted(limit, &near, 0), 0); /* the service's bucket has two as well */
	assert_false(limit_set_policy(limit, &same));
	assert_int_equal(accepted(limit, &peer, MS), 0);
	assert_false(limit_set_policy(limit, &fast)); /* another rate: nobody owes any more */
	limit_usage(limit, &usage);
	assert_int_equal(usage.idle, 0);
	assert_int_equal(limit_commit(limit, &peer, MS), 0);
	assert_int_equal(accepted(limit, &peer, MS), 1);
	assert_int_equal(limit_running(limit, &peer), 1);
	assert_true(limit_set_policy(limit, &wide)); /* other sources: the caller counts anew */
	assert_int_equal(limit_running(limit, &peer), 0);
	assert_int_equal(limit_adopt(limit, &peer), 0);
	assert_int_equal(limit_running(limit, &near), 1);
	assert_int_equal(accepted(limit, &near, MS), 2); /* which took no token */
	limit_release(limit, &peer);
	limit_release(limit, &peer); /* one too many does no harm */
	limit_usage(limit, &usage);
	assert_int_equal(usage.running, 0);
	assert_int_equal(usage.sources, 0);
	limit_free(limit);
}

/* --- against a naive model ------------------------------------------------------------------ */

#define SOURCES 200

/* A bucket the other way round: what is in it, in nanoseconds of its rate. */
struct bucket {
	int64_t level_ns;
	int64_t then_ns;
};

struct model {
	struct limit_policy policy;
	unsigned running[SOURCES];
	struct bucket sources[SOURCES];
	struct bucket service;
};

static int64_t interval_ns(const struct limit_rate *rate)
{
	return rate->count == 0 ? 0 : rate->period_ns / rate->count;
}

static int64_t bucket_level(const struct model *model, const struct limit_rate *rate,
	const struct bucket *bucket, int64_t now_ns)
{
	int64_t full_ns = interval_ns(rate) * model->policy.burst;
	int64_t level_ns = bucket->level_ns + (now_ns - bucket->then_ns);

	return level_ns > full_ns ? full_ns : level_ns;
}

static bool bucket_allows(const struct model *model, const struct limit_rate *rate,
	const struct bucket *bucket, int64_t now_ns)
{
	return bucket_level(model, rate, bucket, now_ns) >= interval_ns(rate);
}

static void bucket_take(const struct model *model, const struct limit_rate *rate,
	struct bucket *bucket, int64_t now_ns)
{
	bucket->level_ns = bucket_level(model, rate, bucket, now_ns) - interval_ns(rate);
	bucket->then_ns = now_ns;
}

static enum limit_verdict model_check(const struct model *model, size_t which, int64_t now_ns)
{
	const struct limit_policy *policy = &model->policy;

	if (policy->per_source > 0 && model->running[which] >= policy->per_source)
		return LIMIT_PER_SOURCE;
	if (!bucket_allows(model, &policy->per_source_rate, &model->sources[which], now_ns))
		return LIMIT_PER_SOURCE_RATE;
	if (!bucket_allows(model, &policy->rate, &model->service, now_ns))
		return LIMIT_RATE;
	return LIMIT_OK;
}

static void model_random(struct model *model)
{
	memset(model, 0, sizeof(*model));
	model->policy.per_source = (unsigned)random() % 4;
	model->policy.burst = (unsigned)random() % 12 + 1;
	model->policy.source_prefix4 = 32;
	model->policy.rate = (struct limit_rate){(uint32_t)random() % 50, SECOND};
	model->policy.per_source_rate = (struct limit_rate){(uint32_t)random() % 5, SECOND};
	model->service.level_ns = INT64_MAX / 2; /* full, whatever full is */
	for (size_t i = 0; i < SOURCES; i++)
		model->sources[i].level_ns = INT64_MAX / 2;
}

/* One connection, accepted or now and then in spite of the verdict; or an end. */
static void model_step(struct model *model, struct limit *limit, int64_t now_ns)
{
	size_t which = (size_t)random() % (random() % 2 == 0 ? 10 : SOURCES);
	struct peer peer = peer_number(0x0a000000 + (uint32_t)which);
	enum limit_verdict expected = model_check(model, which, now_ns);

	assert_int_equal(limit_running(limit, &peer), model->running[which]);
	assert_int_equal(limit_check(limit, &peer, now_ns), expected);
	if (model->running[which] > 0 && random() % 2 == 0) {
		limit_release(limit, &peer);
		model->running[which]--;
	} else if (expected == LIMIT_OK || random() % 50 == 0) {
		assert_int_equal(limit_commit(limit, &peer, now_ns), 0);
		bucket_take(model, &model->policy.rate, &model->service, now_ns);
		bucket_take(model, &model->policy.per_source_rate, &model->sources[which], now_ns);
		model->running[which]++;
	}
}

static void test_random_against_model(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	struct model model;

	(void)state;
	print_message("# seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < 40; round++) {
		struct limit *limit = limit_new();
		struct limit_usage usage;
		int64_t now_ns = random();
		uint64_t running = 0;

		model_random(&model);
		limit_set_policy(limit, &model.policy);
		for (int step = 0; step < 2000; step++) {
			model_step(&model, limit, now_ns);
			now_ns += random() % (random() % 20 == 0 ? SECOND : 10 * MS);
		}
		for (size_t i = 0; i < SOURCES; i++)
			running += model.running[i];
		limit_usage(limit, &usage);
		assert_int_equal(usage.running, running);
		limit_free(limit);
	}
}

/* --- floods --------------------------------------------------------------------------------- */

static void connect_once(struct limit *limit, const struct peer *peer, int64_t now_ns)
{
	assert_int_equal(limit_check(limit, peer, now_ns), LIMIT_OK);
	assert_int_equal(limit_commit(limit, peer, now_ns), 0);
	limit_release(limit, peer);
}

/*
 * A million sources come and go in 20 s, at any time ten thousand of them owing.  One source that
 * keeps to its rate is never refused, and one that does not gets no more than its due.
 */
static void test_flood_of_sources(void **state)
{
	const struct limit_policy policy = {.burst = 10,
		.per_source = 16,
		.per_source_rate = {5, SECOND},
		.source_prefix4 = 32};
	struct limit *limit = limit_make(&policy);
	struct peer polite = peer_of("192.0.2.1");
	struct peer greedy = peer_of("192.0.2.2");
	struct limit_usage usage;
	unsigned taken = 0;
	size_t warm = 0;

	(void)state;
	for (uint32_t i = 0; i < FLOOD; i++) {
		int64_t now_ns = i * (SECOND / 50000);
		struct peer peer = peer_number(0x0a000000 + i);

		connect_once(limit, &peer, now_ns);
		if (i % 10000 == 0)
			connect_once(limit, &polite, now_ns);
		taken += accepted(limit, &greedy, now_ns);
		if (i == FLOOD / 50)
			warm = memory_used();
	}
	assert_int_equal(taken, 10 + 5 * 20 - 1); /* the last tick is not reached */
	limit_usage(limit, &usage);
	assert_int_equal(usage.running, 0);
	assert_int_equal(usage.sources, 0);
	assert_int_equal(usage.idle, LIMIT_IDLE_MAX);
	assert_in_range(memory_used(), 0, warm + GROWTH_MAX);
	limit_free(limit);
}

/* A million different sources are refused: nothing is remembered of them. */
static void test_refusals_cost_no_memory(void **state)
{
	const struct limit_policy policy = {.burst = 1,
		.rate = {1, SECOND},
		.per_source_rate = {1, SECOND},
		.source_prefix4 = 32};
	struct limit *limit = limit_make(&policy);
	struct peer first = peer_of("192.0.2.1");
	struct limit_usage usage;
	size_t warm;

	(void)state;
	assert_int_equal(limit_commit(limit, &first, 0), 0);
	warm = memory_used();
	for (uint32_t i = 0; i < FLOOD; i++) {
		struct peer peer = peer_number(0x0a000000 + i);

		assert_int_equal(limit_check(limit, &peer, 1), LIMIT_RATE);
	}
	assert_int_equal(limit_check(limit, &first, 1), LIMIT_PER_SOURCE_RATE);
	assert_int_equal(memory_used(), warm);
	limit_usage(limit, &usage);
	assert_int_equal(usage.sources, 1);
	assert_int_equal(usage.idle, 0);
	limit_free(limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_makes_one_source),
		cmocka_unit_test(test_per_source),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_new_policy),
		cmocka_unit_test(test_random_against_model),
		cmocka_unit_test(test_flood_of_sources),
		cmocka_unit_test(test_refusals_cost_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
