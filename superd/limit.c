/*
 * limit: the verdict about a source, and what a connection costs it.
 *
 * A bucket is one number, the time at which it is full again: each token taken puts that off by
 * the interval between two, and one may be taken while it lies at most burst - 1 intervals ahead.
 * Integers only.  The interval is cut to whole nanoseconds: a rate of N/s is off by less than
 * N in 10^9.
 */
#include "config.h"
#include "superd/limit.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "superd/limit_table.h"

/* Intervals and debts stay below this, so that sums with a time do not overflow. */
#define DEBT_MAX_NS (INT64_MAX / 4)

/* Full records are forgotten faster than new ones come. */
#define EXPIRE_PER_COMMIT 2

struct meter {
	int64_t interval_ns; /* between two tokens; 0: no limit */
	int64_t ahead_ns;    /* how far the time of being full may lie ahead */
};

struct limit {
	const struct limit_policy *policy;
	struct meter service_meter;
	struct meter source_meter;
	int64_t full_ns; /* of the service's bucket */
	uint64_t running;
	struct limit_table table;
};

static const struct limit_policy policy_none = {
	.burst = 1,
	.source_prefix4 = 32,
	.source_prefix6 = 64,
};

/* --- buckets -------------------------------------------------------------------------------- */

static struct meter meter_of(const struct limit_rate *rate, unsigned burst)
{
	struct meter meter = {0};

	if (rate->count == 0)
		return meter;
	meter.interval_ns = rate->period_ns / rate->count;
	if (meter.interval_ns < 1)
		meter.interval_ns = 1;
	if (meter.interval_ns > DEBT_MAX_NS)
		meter.interval_ns = DEBT_MAX_NS;
	if (burst > 1 && __builtin_mul_overflow(meter.interval_ns, burst - 1, &meter.ahead_ns))
		meter.ahead_ns = DEBT_MAX_NS;
	if (meter.ahead_ns > DEBT_MAX_NS)
		meter.ahead_ns = DEBT_MAX_NS;
	return meter;
}

static bool meter_equal(const struct meter *one, const struct meter *other)
{
	return one->interval_ns == other->interval_ns && one->ahead_ns == other->ahead_ns;
}

/* Whether a bucket that is full at full_ns has a token at now_ns. */
static bool meter_allows(const struct meter *meter, int64_t full_ns, int64_t now_ns)
{
	return meter->interval_ns == 0 || full_ns <= now_ns || full_ns - now_ns <= meter->ahead_ns;
}

/* When the bucket is full after one more token was taken. */
static int64_t meter_take(const struct meter *meter, int64_t full_ns, int64_t now_ns)
{
	if (full_ns < now_ns)
		full_ns = now_ns;
	if (__builtin_add_overflow(full_ns, meter->interval_ns, &full_ns))
		return INT64_MAX;
	return full_ns;
}

/* --- sources -------------------------------------------------------------------------------- */

/* The first prefix_length bits of count words in network order. */
static void key_cut(struct limit_key *key, const uint8_t *ip, size_t count, unsigned prefix_length)
{
	memcpy(key->words, ip, count * sizeof(key->words[0]));
	for (size_t i = 0; i < count; i++) {
		unsigned before = (unsigned)i * 32;

		if (prefix_length <= before)
			key->words[i] = 0;
		else if (prefix_length < before + 32)
			key->words[i] &= htonl(UINT32_MAX << (before + 32 - prefix_length));
	}
}

static struct limit_key key_of(const struct limit_policy *policy, const struct peer *peer)
{
	struct limit_key key = {0};

	if (peer->family == AF_INET)
		key_cut(&key, peer->u.ip, 1, policy->source_prefix4);
	else if (peer->family == AF_INET6)
		key_cut(&key, peer->u.ip, 4, policy->source_prefix6);
	else if (peer->family == AF_UNIX)
		key.words[0] = peer->u.cred.uid;
	key.words[LIMIT_KEY_WORDS - 1] = peer->family;
	return key;
}

static const struct limit_source *source_find(const struct limit *limit, const struct peer *peer)
{
	struct limit_key key = key_of(limit->policy, peer);

	return limit_table_find(&limit->table, &key);
}

/* One more running for peer's source; NULL where memory is out. */
static struct limit_source *source_add(struct limit *limit, const struct peer *peer)
{
	struct limit_key key = key_of(limit->policy, peer);
	struct limit_source *source = limit_table_use(&limit->table, &key);

	if (source == NULL)
		return NULL;
	source->running++;
	limit->running++;
	return source;
}

/* --- the whole ------------------------------------------------------------------------------ */

struct limit *limit_new(void)
{
	struct limit *limit = calloc(1, sizeof(*limit));

	if (limit == NULL)
		return NULL;
	limit->policy = &policy_none;
	if (limit_table_init(&limit->table, LIMIT_IDLE_MAX) != 0) {
		free(limit);
		return NULL;
	}
	return limit;
}

void limit_free(struct limit *limit)
{
	if (limit == NULL)
		return;
	limit_table_free(&limit->table);
	free(limit);
}

/* Nobody owes a token any more: of those with nothing running, nothing is left to remember. */
static void limit_forgive(struct limit *limit)
{
	struct limit_table *table = &limit->table;

	limit_table_expire(table, INT64_MAX, UINT_MAX);
	for (size_t i = 0; i < table->bucket_count; i++) {
		for (struct limit_source *at = table->buckets[i]; at != NULL; at = at->next)
			at->full_ns = 0;
	}
}

bool limit_set_policy(struct limit *limit, const struct limit_policy *policy)
{
	struct meter service_meter = meter_of(&policy->rate, policy->burst);
	struct meter source_meter = meter_of(&policy->per_source_rate, policy->burst);
	bool is_cut_anew = policy->source_prefix4 != limit->policy->source_prefix4 ||
			   policy->source_prefix6 != limit->policy->source_prefix6;

	if (!meter_equal(&limit->service_meter, &service_meter))
		limit->full_ns = 0;
	if (!meter_equal(&limit->source_meter, &source_meter))
		limit_forgive(limit);
	if (is_cut_anew) {
		limit_table_clear(&limit->table);
		limit->running = 0;
	}
	limit->policy = policy;
	limit->service_meter = service_meter;
	limit->source_meter = source_meter;
	return is_cut_anew;
}

uint32_t limit_running(const struct limit *limit, const struct peer *peer)
{
	const struct limit_source *source = source_find(limit, peer);

	return source != NULL ? source->running : 0;
}

enum limit_verdict limit_check(const struct limit *limit, const struct peer *peer, int64_t now_ns)
{
	const struct limit_policy *policy = limit->policy;
	const struct limit_source *source = source_find(limit, peer);

	if (source != NULL) {
		if (policy->per_source > 0 && source->running >= policy->per_source &&
			!(policy->local_exempt && peer_is_local(peer)))
			return LIMIT_PER_SOURCE;
		if (!meter_allows(&limit->source_meter, source->full_ns, now_ns))
			return LIMIT_PER_SOURCE_RATE;
	}
	if (!meter_allows(&limit->service_meter, limit->full_ns, now_ns))
		return LIMIT_RATE;
	return LIMIT_OK;
}

int limit_commit(struct limit *limit, const struct peer *peer, int64_t now_ns)
{
	struct limit_source *source;

	limit_table_expire(&limit->table, now_ns, EXPIRE_PER_COMMIT);
	source = source_add(limit, peer);
	if (source == NULL)
		return -1;
	if (limit->source_meter.interval_ns > 0)
		source->full_ns = meter_take(&limit->source_meter, source->full_ns, now_ns);
	if (limit->service_meter.interval_ns > 0)
		limit->full_ns = meter_take(&limit->service_meter, limit->full_ns, now_ns);
	return 0;
}

int limit_adopt(struct limit *limit, const struct peer *peer)
{
	return source_add(limit, peer) != NULL ? 0 : -1;
}

void limit_release(struct limit *limit, const struct peer *peer)
{
	struct limit_key key = key_of(limit->policy, peer);
	struct limit_source *source = limit_table_find(&limit->table, &key);

	if (source == NULL || source->running == 0)
		return;
	limit->running--;
	if (--source->running > 0)
		return;
	if (limit->source_meter.interval_ns > 0)
		limit_table_retire(&limit->table, source);
	else
		limit_table_drop(&limit->table, source);
}

/* --- over an upgrade ------------------------------------------------------------------------ */

_Static_assert(LIMIT_RECORD_WORDS == LIMIT_KEY_WORDS, "a record holds a whole key");

int limit_export(const struct limit *limit, int64_t now_ns, struct limit_snapshot *snapshot)
{
	const struct limit_table *table = &limit->table;

	*snapshot = (struct limit_snapshot){
		.service_interval_ns = limit->service_meter.interval_ns,
		.source_interval_ns = limit->source_meter.interval_ns,
		.service_ahead_ns = limit->service_meter.ahead_ns,
		.source_ahead_ns = limit->source_meter.ahead_ns,
		.source_prefix4 = (int)limit->policy->source_prefix4,
		.source_prefix6 = (int)limit->policy->source_prefix6,
		.full_ns = limit->full_ns > now_ns ? limit->full_ns : 0,
	};
	snapshot->records = calloc(table->count + 1, sizeof(*snapshot->records));
	if (snapshot->records == NULL)
		return -1;
	for (size_t i = 0; i < table->bucket_count; i++) {
		for (struct limit_source *at = table->buckets[i]; at != NULL; at = at->next) {
			struct limit_record *record = &snapshot->records[snapshot->record_count];

			if (at->full_ns <= now_ns)
				continue;
			memcpy(record->words, at->key.words, sizeof(record->words));
			record->full_ns = at->full_ns;
			snapshot->record_count++;
		}
	}
	return 0;
}

/* The latest time at which a bucket can be full that was never empty by more than a token. */
static int64_t meter_cap(const struct meter *meter, int64_t full_ns, int64_t now_ns)
{
	int64_t latest_ns = now_ns + meter->ahead_ns + meter->interval_ns;

	return full_ns < latest_ns ? full_ns : latest_ns;
}

static void limit_import_record(
	struct limit *limit, const struct limit_record *record, int64_t now_ns)
{
	struct limit_source *source;
	struct limit_key key;

	if (record->full_ns <= now_ns)
		return;
	memcpy(key.words, record->words, sizeof(key.words));
	source = limit_table_use(&limit->table, &key);
	if (source == NULL)
		return;
	source->full_ns = meter_cap(&limit->source_meter, record->full_ns, now_ns);
	if (source->running == 0)
		limit_table_retire(&limit->table, source);
}

void limit_import(struct limit *limit, const struct limit_snapshot *snapshot, int64_t now_ns)
{
	const struct limit_policy *policy = limit->policy;
	const struct meter service_meter = {
		snapshot->service_interval_ns, snapshot->service_ahead_ns};
	const struct meter source_meter = {snapshot->source_interval_ns, snapshot->source_ahead_ns};

	if (meter_equal(&limit->service_meter, &service_meter))
		limit->full_ns = meter_cap(&service_meter, snapshot->full_ns, now_ns);
	if (source_meter.interval_ns == 0 || !meter_equal(&limit->source_meter, &source_meter) ||
		policy->source_prefix4 != (unsigned)snapshot->source_prefix4 ||
		policy->source_prefix6 != (unsigned)snapshot->source_prefix6)
		return;
	for (size_t i = 0; i < snapshot->record_count; i++)
		limit_import_record(limit, &snapshot->records[i], now_ns);
}

void limit_usage(const struct limit *limit, struct limit_usage *usage)
{
	usage->running = limit->running;
	usage->idle = limit->table.idle_count;
	usage->sources = limit->table.count - limit->table.idle_count;
}
