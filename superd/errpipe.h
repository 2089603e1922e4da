/*
 * errpipe: the standard error of one service's programs, line by line.
 *
 * The pipe exists only while the service has something running (and a second longer, so that a
 * busy service does not make one for each connection). What comes beyond 20 lines a second is
 * read and dropped, never left in the pipe where it would stop the program. How many were is told
 * with the next line; where none comes, alone at the end of the second or with the pipe's end.
 */
#ifndef SUPERD_ERRPIPE_H
#define SUPERD_ERRPIPE_H

#include "superd/error.h"
#include "superd/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ERRPIPE_LINE_MAX 1024 /* longer lines are cut into pieces */

struct errpipe;

/*
 * An errpipe without a pipe yet. line_cb is called for each line (without its newline), at most
 * 20 a second; dropped is how many were dropped before it. text NULL: no line, only their count.
 * Returns NULL where memory is out.
 */
struct errpipe *errpipe_new(struct loop *loop,
	void (*line_cb)(void *owner, const char *text, size_t length, uint64_t dropped),
	void *owner);

/* A pipe with what was read from it and is no whole line yet. */
struct errpipe_snapshot {
	int read_fd; /* -1: no pipe */
	int write_fd;
	int64_t dropped; /* lines that are still to be told */
	size_t used;     /* of line */
	char line[ERRPIPE_LINE_MAX];
};

/* Fills *snapshot; the descriptors stay the errpipe's. */
void errpipe_export(const struct errpipe *errpipe, struct errpipe_snapshot *snapshot);

/*
 * Goes on with the pipe of snapshot, whose descriptors are the errpipe's from now on; it must not
 * have one yet. Returns 0, or -1 with *error (they cannot be watched, or are no pipe; they are
 * left open then).
 */
int errpipe_import(
	struct errpipe *errpipe, const struct errpipe_snapshot *snapshot, struct error *error);

/* Reads what is left, tells what was dropped, and frees. */
void errpipe_free(struct errpipe *errpipe);

/* A program is about to run: the pipe's end for it, which stays the errpipe's; -1 with *error
   where there can be none. */
int errpipe_use(struct errpipe *errpipe, struct error *error);

/* Nothing of the service is running any more: the pipe goes in a second unless it is used. */
void errpipe_idle(struct errpipe *errpipe);

#endif
