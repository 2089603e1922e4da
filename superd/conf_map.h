/*
 * conf_map: from a key of bytes to a pointer, so that no look-up of the loader grows with the
 * number of services.
 */
#ifndef SUPERD_CONF_MAP_H
#define SUPERD_CONF_MAP_H

#include "superd/conf_pool.h"

#include <stddef.h>

struct conf_map {
	struct conf_pool *pool;
	struct conf_map_slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
};

/* The value kept for key, or NULL. */
void *conf_map_get(const struct conf_map *map, const void *key, size_t length);

/* Keeps value (not NULL) for key, in place of an earlier one.  key is not copied. */
void conf_map_put(struct conf_map *map, const void *key, size_t length, void *value);

#endif
