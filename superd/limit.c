/*
 * limit: a hash of sources with something running.
 */
#include "config.h"
#include "superd/limit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS_FIRST 16 /* powers of two */

struct source_key {
	uint64_t word; /* the address bits that make one source, or the uid */
	uint32_t family;
};

struct source {
	struct source *next; /* in its chain, or in the free list */
	struct source_key key;
	uint32_t running;
};

struct limit {
	struct source **buckets;
	size_t bucket_count;
	size_t count;
	struct source *free_list;
	uint64_t seed; /* so that nobody can aim at one bucket */
};

struct limit *limit_new(void)
{
	struct limit *limit = calloc(1, sizeof(*limit));

	if (limit == NULL)
		return NULL;
	limit->bucket_count = BUCKETS_FIRST;
	limit->buckets = calloc(limit->bucket_count, sizeof(struct source *));
	if (limit->buckets == NULL) {
		free(limit);
		return NULL;
	}
	if (getrandom(&limit->seed, sizeof(limit->seed), GRND_NONBLOCK) < 0)
		limit->seed = (uint64_t)(uintptr_t)limit;
	return limit;
}

void limit_free(struct limit *limit)
{
	struct source *source;

	if (limit == NULL)
		return;
	for (size_t i = 0; i < limit->bucket_count; i++) {
		while ((source = limit->buckets[i]) != NULL) {
			limit->buckets[i] = source->next;
			free(source);
		}
	}
	while ((source = limit->free_list) != NULL) {
		limit->free_list = source->next;
		free(source);
	}
	free(limit->buckets);
	free(limit);
}

static struct source_key source_key(const struct peer *peer)
{
	struct source_key key = {.family = peer->family};
	uint32_t word;

	switch (peer->family) {
	case AF_INET:
		memcpy(&word, peer->u.ip, sizeof(word));
		key.word = word;
		break;
	case AF_INET6:
		memcpy(&key.word, peer->u.ip, sizeof(key.word));
		break;
	case AF_UNIX:
		key.word = peer->u.cred.uid;
		break;
	default:
		break;
	}
	return key;
}

static size_t source_bucket(const struct limit *limit, struct source_key key)
{
	uint64_t mixed = (key.word ^ limit->seed ^ key.family) * UINT64_C(0xff51afd7ed558ccd);

	mixed = (mixed ^ (mixed >> 32)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return (size_t)(mixed >> 32) & (limit->bucket_count - 1);
}

/* The link that points at key's record, or at the NULL where it would go. */
static struct source **source_link(const struct limit *limit, struct source_key key)
{
	struct source **link = &limit->buckets[source_bucket(limit, key)];

	while (*link != NULL &&
		((*link)->key.word != key.word || (*link)->key.family != key.family))
		link = &(*link)->next;
	return link;
}

/* Twice the buckets; where memory is out the chains grow longer instead. */
static void limit_grow(struct limit *limit)
{
	struct source **old = limit->buckets;
	size_t old_count = limit->bucket_count;
	struct source **grown = calloc(old_count * 2, sizeof(struct source *));
	struct source *source;

	if (grown == NULL)
		return;
	limit->buckets = grown;
	limit->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		while ((source = old[i]) != NULL) {
			struct source **bucket = &grown[source_bucket(limit, source->key)];

			old[i] = source->next;
			source->next = *bucket;
			*bucket = source;
		}
	}
	free(old);
}

uint32_t limit_running(const struct limit *limit, const struct peer *peer)
{
	const struct source *source = *source_link(limit, source_key(peer));

	return source != NULL ? source->running : 0;
}

int limit_commit(struct limit *limit, const struct peer *peer)
{
	struct source_key key = source_key(peer);
	struct source **link;
	struct source *source;

	if (limit->count >= limit->bucket_count)
		limit_grow(limit);
	link = source_link(limit, key);
	source = *link;
	if (source == NULL) {
		source = limit->free_list;
		if (source != NULL)
			limit->free_list = source->next;
		else if ((source = malloc(sizeof(*source))) == NULL)
			return -1;
		*source = (struct source){.key = key};
		*link = source;
		limit->count++;
	}
	source->running++;
	return 0;
}

void limit_release(struct limit *limit, const struct peer *peer)
{
	struct source **link = source_link(limit, source_key(peer));
	struct source *source = *link;

	if (source == NULL || --source->running > 0)
		return;
	*link = source->next;
	limit->count--;
	source->next = limit->free_list;
	limit->free_list = source;
}
