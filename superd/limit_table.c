/*
 * limit_table: one hash, one slab, one heap.
 */
#include "config.h"
#include "superd/limit_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define BUCKETS_FIRST 16 /* powers of two */
#define IDLE_FIRST 64
#define CHUNK_SOURCES 20 /* with the link just under 1 KiB */

struct limit_chunk {
	struct limit_chunk *next;
	struct limit_source sources[CHUNK_SOURCES];
};

/* --- hash ----------------------------------------------------------------------------------- */

/* Random words; early in the boot, when the kernel has none yet, those that it gave at exec. */
static void seed_fill(uint64_t seed[LIMIT_KEY_WORDS + 1])
{
	size_t size = (LIMIT_KEY_WORDS + 1) * sizeof(seed[0]);
	const unsigned char *given = (const unsigned char *)getauxval(AT_RANDOM);

	if (getrandom(seed, size, GRND_NONBLOCK) == (ssize_t)size)
		return;
	memcpy(seed, given, 16);
	for (size_t i = 2; i <= LIMIT_KEY_WORDS; i++)
		seed[i] = (seed[i - 1] ^ (seed[i - 1] >> 29)) * UINT64_C(0xbf58476d1ce4e5b9) +
			  seed[i - 2];
}

/*
 * Multiply-shift over 32-bit words with 64-bit random factors: any two keys fall together with
 * the chance of a random function, whoever chose them.
 */
static size_t key_bucket(const struct limit_table *table, const struct limit_key *key)
{
	uint64_t sum = table->seed[LIMIT_KEY_WORDS];

	for (size_t i = 0; i < LIMIT_KEY_WORDS; i++)
		sum += table->seed[i] * key->words[i];
	return (size_t)(sum >> 32) & (table->bucket_count - 1);
}

/* The link that points at key's record, or at the NULL where it would go. */
static struct limit_source **table_link(
	const struct limit_table *table, const struct limit_key *key)
{
	struct limit_source **link = &table->buckets[key_bucket(table, key)];

	while (*link != NULL && memcmp(&(*link)->key, key, sizeof(*key)) != 0)
		link = &(*link)->next;
	return link;
}

/* Twice the buckets; where memory is out the chains grow longer instead. */
static void table_grow(struct limit_table *table)
{
	struct limit_source **old = table->buckets;
	size_t old_count = table->bucket_count;
	struct limit_source **grown = calloc(old_count * 2, sizeof(struct limit_source *));
	struct limit_source *source;

	if (grown == NULL)
		return;
	table->buckets = grown;
	table->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		while ((source = old[i]) != NULL) {
			struct limit_source **bucket = &grown[key_bucket(table, &source->key)];

			old[i] = source->next;
			source->next = *bucket;
			*bucket = source;
		}
	}
	free(old);
}

/* --- slab ----------------------------------------------------------------------------------- */

static void chunk_add(struct limit_table *table, struct limit_chunk *chunk)
{
	for (size_t i = CHUNK_SOURCES; i-- > 0;) {
		chunk->sources[i].next = table->free_list;
		table->free_list = &chunk->sources[i];
	}
}

static struct limit_source *source_allocate(struct limit_table *table)
{
	struct limit_source *source;
	struct limit_chunk *chunk;

	if (table->free_list == NULL) {
		chunk = malloc(sizeof(*chunk));
		if (chunk == NULL)
			return NULL;
		chunk->next = table->chunks;
		table->chunks = chunk;
		chunk_add(table, chunk);
	}
	source = table->free_list;
	table->free_list = source->next;
	return source;
}

/* --- heap of idle records ------------------------------------------------------------------- */

static void idle_put(struct limit_table *table, size_t slot, struct limit_source *source)
{
	table->idle[slot] = source;
	source->slot = (uint32_t)slot;
}

static void idle_up(struct limit_table *table, size_t slot, struct limit_source *source)
{
	while (slot > 0 && source->full_ns < table->idle[(slot - 1) / 2]->full_ns) {
		idle_put(table, slot, table->idle[(slot - 1) / 2]);
		slot = (slot - 1) / 2;
	}
	idle_put(table, slot, source);
}

static void idle_down(struct limit_table *table, size_t slot, struct limit_source *source)
{
	size_t child;

	while ((child = slot * 2 + 1) < table->idle_count) {
		if (child + 1 < table->idle_count &&
			table->idle[child + 1]->full_ns < table->idle[child]->full_ns)
			child++;
		if (source->full_ns <= table->idle[child]->full_ns)
			break;
		idle_put(table, slot, table->idle[child]);
		slot = child;
	}
	idle_put(table, slot, source);
}

/* Takes source out of the heap. */
static void idle_remove(struct limit_table *table, struct limit_source *source)
{
	struct limit_source *last = table->idle[--table->idle_count];
	size_t slot = source->slot;

	source->slot = LIMIT_NOT_IDLE;
	if (last == source)
		return;
	if (slot > 0 && last->full_ns < table->idle[(slot - 1) / 2]->full_ns)
		idle_up(table, slot, last);
	else
		idle_down(table, slot, last);
}

/* Room for every record to become idle, so that this needs no memory; without, fewer are kept. */
static void idle_reserve(struct limit_table *table)
{
	size_t capacity = table->idle_capacity == 0 ? IDLE_FIRST : table->idle_capacity * 2;
	struct limit_source **grown;

	if (table->count < table->idle_capacity || table->idle_capacity >= table->idle_max)
		return;
	if (capacity > table->idle_max)
		capacity = table->idle_max;
	grown = realloc(table->idle, capacity * sizeof(struct limit_source *));
	if (grown == NULL)
		return;
	table->idle = grown;
	table->idle_capacity = capacity;
}

/* --- the whole ------------------------------------------------------------------------------ */

int limit_table_init(struct limit_table *table, size_t idle_max)
{
	memset(table, 0, sizeof(*table));
	table->bucket_count = BUCKETS_FIRST;
	table->buckets = calloc(table->bucket_count, sizeof(struct limit_source *));
	if (table->buckets == NULL)
		return -1;
	table->idle_max = idle_max;
	seed_fill(table->seed);
	return 0;
}

void limit_table_free(struct limit_table *table)
{
	struct limit_chunk *chunk;

	while ((chunk = table->chunks) != NULL) {
		table->chunks = chunk->next;
		free(chunk);
	}
	free(table->idle);
	free(table->buckets);
}

void limit_table_clear(struct limit_table *table)
{
	memset(table->buckets, 0, table->bucket_count * sizeof(struct limit_source *));
	table->count = 0;
	table->idle_count = 0;
	table->free_list = NULL;
	for (struct limit_chunk *chunk = table->chunks; chunk != NULL; chunk = chunk->next)
		chunk_add(table, chunk);
}

struct limit_source *limit_table_find(const struct limit_table *table, const struct limit_key *key)
{
	return *table_link(table, key);
}

struct limit_source *limit_table_use(struct limit_table *table, const struct limit_key *key)
{
	struct limit_source *source = *table_link(table, key);
	struct limit_source **link;

	if (source != NULL) {
		if (source->slot != LIMIT_NOT_IDLE)
			idle_remove(table, source);
		return source;
	}
	source = source_allocate(table);
	if (source == NULL)
		return NULL;
	if (table->count >= table->bucket_count)
		table_grow(table);
	idle_reserve(table);
	*source = (struct limit_source){.key = *key, .slot = LIMIT_NOT_IDLE};
	link = &table->buckets[key_bucket(table, key)];
	source->next = *link;
	*link = source;
	table->count++;
	return source;
}

void limit_table_retire(struct limit_table *table, struct limit_source *source)
{
	struct limit_source *first;

	if (table->idle_count == table->idle_capacity) {
		first = table->idle_count > 0 ? table->idle[0] : NULL;
		if (first == NULL || source->full_ns <= first->full_ns) {
			limit_table_drop(table, source);
			return;
		}
		idle_remove(table, first);
		limit_table_drop(table, first);
	}
	idle_up(table, table->idle_count++, source);
}

void limit_table_drop(struct limit_table *table, struct limit_source *source)
{
	*table_link(table, &source->key) = source->next;
	source->next = table->free_list;
	table->free_list = source;
	table->count--;
}

void limit_table_expire(struct limit_table *table, int64_t now_ns, unsigned most)
{
	while (most-- > 0 && table->idle_count > 0 && table->idle[0]->full_ns <= now_ns) {
		struct limit_source *first = table->idle[0];

		idle_remove(table, first);
		limit_table_drop(table, first);
	}
}
