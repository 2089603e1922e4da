/*
 * log_lines: what the tests of the log's sinks share: numbered lines in, and a reader that takes
 * only whole lines, in order, each there or counted.
 */
#ifndef TESTS_UNIT_LOG_LINES_H
#define TESTS_UNIT_LOG_LINES_H

#include "superd/log.h"
#include "superd/log_sink.h"

#include <stddef.h>

/* Open a sink, or fail the test. */
struct log_sink *sink_open(const struct log_spec *spec, const struct log_places *places);
struct log_sink *sink_open_file(const char *path, enum log_format format);

/* Logs event=test n=NUMBER; `width` bytes of padding make lines as long as a test wants them. */
void log_numbered(struct log_sink *sink, unsigned number, int width);

/* What has come out of a sink so far. */
struct line_reader {
	char rest[65536]; /* the begin of a line */
	size_t used;
	unsigned next; /* number expected */
	unsigned seen;
	unsigned told; /* sum of log-dropped */
	unsigned tellers;
};

/* Reads all that can be read now, at most limit bytes (0: no limit). */
void lines_drain(struct line_reader *reader, int fd, size_t limit);

void lines_read_file(struct line_reader *reader, const char *path);

/* A directory of the test's own, and two paths in it. */
struct place {
	char directory[32];
	char path[64];
	char other[64];
};

void place_make(struct place *place);

/* Removes the directory; nothing but the two may be in it. */
void place_remove(const struct place *place);

#endif
