/*
 * input: the lines in what a client sends, in whatever pieces it comes.
 *
 * The line reader of libservice asks a descriptor for more until a line is whole, and reads an
 * overlong one to its end.  A room must not: whoever sends without pause would keep it from all
 * others.  So the room reads one piece per client and round, and this cuts it into lines.
 */
#ifndef SERVICES_CHATROOM_INPUT_H
#define SERVICES_CHATROOM_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Longest line, its end (LF or CRLF) not counted. */
#define INPUT_MAX_LENGTH 1024

enum input_status {
	INPUT_MORE,     /* the piece is used up */
	INPUT_LINE,     /* a line */
	INPUT_TOO_LONG, /* a line is longer than allowed: told once, its rest is dropped */
};

/* "more", "line", "too long". */
const char *input_status_name(enum input_status status);

/* Treat as opaque. */
struct input {
	size_t used;                     /* of line; at most INPUT_MAX_LENGTH + 1, for a CR */
	bool dropping;                   /* the rest of an overlong line is being dropped */
	char line[INPUT_MAX_LENGTH + 2]; /* a NUL on top */
};

/* Begins with nothing. */
void input_init(struct input *input);

/*
 * The next line in the piece of *left bytes at *piece, which both move on.  With INPUT_LINE *line
 * is the line without its end, NUL-terminated, valid and the caller's to change until the next
 * call, and *length its length (it may hold NULs itself).
 */
enum input_status input_next(
	struct input *input, const char **piece, size_t *left, char **line, size_t *length);

/*
 * At end of file: the last line, which has no end of its own, as with INPUT_LINE.  Returns false
 * where there is none.
 */
bool input_last(struct input *input, char **line, size_t *length);

#endif
