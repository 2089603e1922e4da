/*
 * conf_map: open addressing, linear probing, at most half full.
 */
#include "config.h"
#include "superd/conf_map.h"

#include <stdint.h>
#include <string.h>

struct conf_map_slot {
	const void *key;
	size_t length;
	void *value; /* NULL: the slot is free */
};

/* FNV-1a.  The keys come from root's own files; nobody gains by colliding. */
static uint64_t conf_map_hash(const void *key, size_t length)
{
	const unsigned char *bytes = key;
	uint64_t hash = UINT64_C(14695981039346656037);
	size_t i;

	for (i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
	return hash;
}

/* The slot of key, or the free one where it belongs. */
static struct conf_map_slot *conf_map_slot(
	const struct conf_map *map, const void *key, size_t length)
{
	size_t i = (size_t)conf_map_hash(key, length) & (map->slot_count - 1);
	struct conf_map_slot *slot = &map->slots[i];

	while (slot->value != NULL &&
		(slot->length != length || memcmp(slot->key, key, length) != 0)) {
		i = (i + 1) & (map->slot_count - 1);
		slot = &map->slots[i];
	}
	return slot;
}

static void conf_map_enlarge(struct conf_map *map)
{
	struct conf_map larger = *map;
	size_t i;

	larger.slot_count = map->slot_count == 0 ? 16 : 2 * map->slot_count;
	larger.slots = conf_pool_alloc(map->pool, larger.slot_count * sizeof(*larger.slots));
	for (i = 0; i < map->slot_count; i++) {
		const struct conf_map_slot *slot = &map->slots[i];

		if (slot->value != NULL)
			*conf_map_slot(&larger, slot->key, slot->length) = *slot;
	}
	*map = larger;
}

void *conf_map_get(const struct conf_map *map, const void *key, size_t length)
{
	return map->slot_count == 0 ? NULL : conf_map_slot(map, key, length)->value;
}

void conf_map_put(struct conf_map *map, const void *key, size_t length, void *value)
{
	struct conf_map_slot *slot;

	if (2 * (map->used + 1) > map->slot_count)
		conf_map_enlarge(map);
	slot = conf_map_slot(map, key, length);
	if (slot->value == NULL)
		map->used++;
	slot->key = key;
	slot->length = length;
	slot->value = value;
}
