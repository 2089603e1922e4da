/*
 * conf_arena: a pointer that moves forward.
 */
#include "config.h"
#include "superd/conf_arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *conf_arena_take(struct conf_arena *arena, size_t size, size_t alignment)
{
	size_t start = (arena->used + alignment - 1) & ~(alignment - 1);

	if (size > arena->size || start > arena->size - size) {
		arena->full_cb(arena->owner);
		abort();
	}
	arena->used = start + size;
	return arena->base + start;
}

void *conf_arena_alloc(struct conf_arena *arena, size_t size)
{
	return conf_arena_take(arena, size, _Alignof(max_align_t));
}

const char *conf_arena_string(struct conf_arena *arena, const char *text)
{
	size_t size;

	if (text == NULL)
		return NULL;
	size = strlen(text) + 1;
	return memcpy(conf_arena_take(arena, size, 1), text, size);
}
