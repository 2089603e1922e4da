/*
 * conf_pool: a list of pieces.  Each allocation is a malloc(3) of its own, so that a tool that
 * watches bounds sees every one of them.
 */
#include "config.h"
#include "superd/conf_pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conf_pool_piece {
	struct conf_pool_piece *next;
	_Alignas(max_align_t) char bytes[];
};

void conf_pool_full(const struct conf_pool *pool)
{
	pool->full_cb(pool->owner);
	abort();
}

void *conf_pool_alloc(struct conf_pool *pool, size_t size)
{
	struct conf_pool_piece *piece = calloc(1, sizeof(*piece) + size);

	if (piece == NULL)
		conf_pool_full(pool);
	piece->next = pool->first;
	pool->first = piece;
	return piece->bytes;
}

char *conf_pool_string(struct conf_pool *pool, const char *text, size_t length)
{
	char *copy = conf_pool_alloc(pool, length + 1);

	memcpy(copy, text, length);
	return copy;
}

char *conf_pool_format(struct conf_pool *pool, const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		conf_pool_full(pool);
	text = conf_pool_alloc(pool, (size_t)length + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)length + 1, format, args);
	va_end(args);
	return text;
}

void *conf_pool_grow(
	struct conf_pool *pool, void *array, size_t count, size_t *capacity, size_t size)
{
	void *larger;

	if (count < *capacity)
		return array;
	*capacity = *capacity == 0 ? 8 : 2 * *capacity;
	larger = conf_pool_alloc(pool, *capacity * size);
	if (count > 0)
		memcpy(larger, array, count * size);
	return larger;
}

void conf_pool_free(struct conf_pool *pool)
{
	struct conf_pool_piece *piece, *next;

	for (piece = pool->first; piece != NULL; piece = next) {
		next = piece->next;
		free(piece);
	}
	pool->first = NULL;
}
