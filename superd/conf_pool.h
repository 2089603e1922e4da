/*
 * conf_pool: the loader's scratch memory, freed at once.
 *
 * Nothing the loader builds on the way needs a lifetime of its own, so nothing is freed
 * singly, and no allocation fails: where memory ends, full_cb ends the loader.
 */
#ifndef SUPERD_CONF_POOL_H
#define SUPERD_CONF_POOL_H

#include <stddef.h>

struct conf_pool {
	struct conf_pool_piece *first;
	void (*full_cb)(void *owner); /* no memory is left; does not return */
	void *owner;
};

/* Zeroed memory, the pool's. */
void *conf_pool_alloc(struct conf_pool *pool, size_t size);

/* A copy of length bytes of text, with a NUL. */
char *conf_pool_string(struct conf_pool *pool, const char *text, size_t length);

/* printf into pool memory. */
char *conf_pool_format(struct conf_pool *pool, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Room for one more element of size bytes in an array of count elements: returns array, or a
 * copy with at least twice the room where it is full.  *capacity starts at 0, array at NULL.
 */
void *conf_pool_grow(
	struct conf_pool *pool, void *array, size_t count, size_t *capacity, size_t size);

/* Ends the loader: an allocation outside the pool failed. */
void conf_pool_full(const struct conf_pool *pool) __attribute__((noreturn));

/* Frees all of it. */
void conf_pool_free(struct conf_pool *pool);

#endif
