/*
 * conf_string: what may stand between quotes in superd.conf.
 */
#ifndef SUPERD_CONF_STRING_H
#define SUPERD_CONF_STRING_H

#include "superd/conf_pool.h"
#include "superd/conf_report.h"

#include <stdbool.h>
#include <stddef.h>

struct conf_string {
	struct conf_pool *pool;
	struct conf_report *report;
	const struct conf_file *file;
	unsigned line; /* before: of the opening quote; after: of the closing one */
	/* Results. */
	const char *text; /* with its quotes, fit for libconfuse; not NUL-terminated */
	size_t length;
	bool bad;         /* a problem was told; text is an empty string */
	const char *next; /* behind the closing quote */
};

/*
 * Reads the string whose opening quote is at start: "..." with escapes and ${NAME} or
 * ${NAME:-default}, '...' with \\ and \'.  Returns 0, or -1 where it does not close on its
 * line (next is then the end of the line).
 */
int conf_string_scan(struct conf_string *string, const char *start, const char *end);

/*
 * Writes text as a string of the same kind to pool: read again, it gives the same bytes.
 * Without quotes where it needs none.
 */
const char *conf_string_quote(struct conf_pool *pool, const char *text);

#endif
