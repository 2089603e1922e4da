/*
 * state_shape: structs to JSON and back by tables: one row of a table is one member, and both
 * directions follow the same rows, so that neither can know more than the other.
 *
 * Reading is strict: every member there, none besides, each of its kind and in its range. What a
 * number means is for others to check.
 */
#ifndef SUPERD_STATE_SHAPE_H
#define SUPERD_STATE_SHAPE_H

#include "superd/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum state_kind {
	STATE_INT,   /* int, in min..max */
	STATE_LONG,  /* int64_t, in min..max */
	STATE_WORDS, /* uint64_t[max], at most 256 */
	STATE_HALFS, /* uint32_t[max] */
	STATE_BOOL,
	STATE_TEXT,  /* char *, never NULL, at most max bytes, UTF-8 */
	STATE_BYTES, /* char *, never NULL, at most max bytes of any kind but NUL: in hexadecimal */
	STATE_BLOCK, /* char[max], of which a size_t says how much is used: in hexadecimal */
	STATE_PEER,  /* struct peer */
	STATE_LIST,  /* a pointer to what a size_t counts, at most max, each of a shape */
};

/* One member. */
struct state_field {
	const char *name;
	enum state_kind kind;
	size_t offset;
	int64_t min;
	int64_t max;
	size_t count_offset;             /* STATE_BLOCK, STATE_LIST: of the size_t */
	const struct state_shape *shape; /* STATE_LIST: of each */
};

/* One struct. */
struct state_shape {
	size_t size;
	bool row; /* a JSON array of the members in their order; an object otherwise */
	size_t field_count;
	const struct state_field *fields;
};

/* The JSON of what lies at; NULL with *error (memory, or a text that is no UTF-8). The caller's
   to give back with json_decref(). */
json_t *state_shape_encode(const struct state_shape *shape, const void *at, struct error *error);

/*
 * Fills what lies at, which must be zeroed. Returns 0; or -1 with *error, which names the member.
 * In both cases the caller ends it with state_shape_free().
 */
int state_shape_decode(
	const struct state_shape *shape, const json_t *json, void *at, struct error *error);

/* Frees what the members of the struct at point at, not the struct. */
void state_shape_free(const struct state_shape *shape, void *at);

#endif
