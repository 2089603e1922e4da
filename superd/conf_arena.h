/*
 * conf_arena: the memory a finished configuration lies in, one block without holes, shared
 * between the loader, which fills it, and superd, which only reads it.
 */
#ifndef SUPERD_CONF_ARENA_H
#define SUPERD_CONF_ARENA_H

#include <stddef.h>

struct conf_arena {
	char *base; /* zeroed, page-aligned */
	size_t size;
	size_t used;
	void (*full_cb)(void *owner); /* size is used up; does not return */
	void *owner;
};

/* The next size bytes, zeroed and aligned for any type; never NULL. */
void *conf_arena_alloc(struct conf_arena *arena, size_t size);

/* A copy of text; NULL for NULL. */
const char *conf_arena_string(struct conf_arena *arena, const char *text);

#endif
