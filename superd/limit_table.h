/*
 * limit_table: the records of sources: a hash over all of them, and a heap over those with
 * nothing running, first whose bucket is full soonest.  Part of limit; nobody else includes it.
 *
 * Records live in chunks that are used again and freed with the table: once it has been as full
 * as it gets, nothing is allocated.
 */
#ifndef SUPERD_LIMIT_TABLE_H
#define SUPERD_LIMIT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define LIMIT_KEY_WORDS 5

/* What makes one source: family, and address or uid; unused words are 0. */
struct limit_key {
	uint32_t words[LIMIT_KEY_WORDS];
};

struct limit_source {
	struct limit_source *next; /* in its chain, or among the free records */
	struct limit_key key;
	uint32_t running;
	int64_t full_ns; /* when the bucket is full again; changed only while not idle */
	uint32_t slot;   /* in the heap; LIMIT_NOT_IDLE: something is running */
};

#define LIMIT_NOT_IDLE UINT32_MAX

struct limit_chunk;

struct limit_table {
	struct limit_source **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;        /* of records in use */
	struct limit_source *free_list;
	struct limit_chunk *chunks;
	struct limit_source **idle; /* a heap: full_ns of each is at most that of its children */
	size_t idle_count;
	size_t idle_capacity; /* at most idle_max */
	size_t idle_max;
	uint64_t seed[LIMIT_KEY_WORDS + 1];
};

/* Fills *table, which will remember at most idle_max idle records; 0, or -1 (out of memory). */
int limit_table_init(struct limit_table *table, size_t idle_max);

/* Frees what limit_table_init() and later calls allocated. */
void limit_table_free(struct limit_table *table);

/* Forgets every record; keeps the memory. */
void limit_table_clear(struct limit_table *table);

/* The record of key; NULL where there is none. */
struct limit_source *limit_table_find(const struct limit_table *table, const struct limit_key *key);

/*
 * The record of key, not idle: found, or made with nothing running and a full bucket.  NULL where
 * memory is out.
 */
struct limit_source *limit_table_use(struct limit_table *table, const struct limit_key *key);

/* Nothing runs for source any more: it is idle, or, where it owes less than all that are, gone. */
void limit_table_retire(struct limit_table *table, struct limit_source *source);

/* Forgets a record that is not idle. */
void limit_table_drop(struct limit_table *table, struct limit_source *source);

/* Forgets at most `most` idle records whose buckets are full at now_ns. */
void limit_table_expire(struct limit_table *table, int64_t now_ns, unsigned most);

#endif
