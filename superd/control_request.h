/*
 * control_request: the line that a control client sends, in both directions.
 *
 * Words stand apart by blanks; a backslash takes the byte behind it as it is, so that a word may
 * hold blanks and backslashes. Control characters and NUL are never part of a request.
 */
#ifndef SUPERD_CONTROL_REQUEST_H
#define SUPERD_CONTROL_REQUEST_H

#include "superd/error.h"

#include <stddef.h>
#include <sys/types.h>

#define CONTROL_LINE_MAX 8192 /* bytes of a request, its newline included */
#define CONTROL_WORDS_MAX 8

struct control_words {
	size_t count; /* at least 1 */
	const char *list[CONTROL_WORDS_MAX];
};

/*
 * Splits length bytes of line (no newline in them; line[length] is writable) in place. The words
 * point into it. Returns 0, or -1 with *error.
 */
int control_request_parse(
	char *line, size_t length, struct control_words *words, struct error *error);

/*
 * Writes the words as a request with its newline to line. Returns its length, or -1 with *error
 * where they do not fit or cannot be said.
 */
ssize_t control_request_format(
	const char *const *words, size_t count, char line[CONTROL_LINE_MAX], struct error *error);

#endif
