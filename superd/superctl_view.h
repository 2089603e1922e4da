/*
 * superctl_view: the answers of superd as people read them.
 */
#ifndef SUPERD_SUPERCTL_VIEW_H
#define SUPERD_SUPERCTL_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Where it goes. */
struct view {
	FILE *stream;
	size_t width; /* of the terminal; 0: no terminal, lines are as wide as they are */
	size_t rows;  /* of each table; SIZE_MAX: all */
	bool coloured;
};

/* Two answers to the same request, for what happens in a second; before NULL: one alone. */
struct view_pair {
	const json_t *now;
	const json_t *before;
	double elapsed_s; /* between the two */
};

/* superd, its configuration, and the services as a table, those with problems first. Returns 0,
   or -1 where memory is out. */
int view_status(const struct view *view, const struct view_pair *pair);

/* The only service of the answer, with all its endpoints and counts. */
void view_service(const struct view *view, const json_t *answer);

/* The running programs as a table, those that use most processor time first (with a pair: use it
   now). Returns 0, or -1 where memory is out. */
int view_connections(const struct view *view, const struct view_pair *pair);

/* The members of an answer; what is missing or of another kind is 0 or "". */
const char *view_string(const json_t *object, const char *key);
json_int_t view_integer(const json_t *object, const char *key);

#endif
