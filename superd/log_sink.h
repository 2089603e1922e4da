/*
 * log_sink: where lines go.  Private to superd/log*.c and their tests.
 *
 * An output is one place (descriptor 2, a path, the syslog socket) with one buffer; a sink is an
 * output in one format.  Two formats on one place share its buffer, so that neither can write
 * into a line of the other that the kernel took half.
 *
 * The buffer holds whole lines, but for the first, of which a part may have been taken.  Once a
 * line had to be dropped, all are until the buffer is empty; then log-dropped goes first.
 */
#ifndef SUPERD_LOG_SINK_H
#define SUPERD_LOG_SINK_H

#include "superd/clock.h"
#include "superd/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an output holds at most. */
#define LOG_BUFFER_SIZE ((size_t)65536)

/* Room for what stands before and after a record's fields in a line. */
#define LOG_FRAME_SIZE ((size_t)128)

/* Where things lie; the tests have their own. */
struct log_places {
	int stderr_fd;
	const char *stderr_path; /* under which it is opened anew */
	const char *syslog_path;
};

/* What became of an attempt to write. */
enum log_taken {
	LOG_TAKEN,  /* some of it or all, *length tells */
	LOG_BUSY,   /* nothing now, later perhaps: keep it */
	LOG_FAILED, /* nothing, and what waits is to be dropped; a line cut before may be finished
		     */
	LOG_GONE    /* nothing, and nobody has seen the begin of a line cut before */
};

struct log_output;

/* A kind of output. */
struct log_output_ops {
	/* Opens output->path (or output->stderr_fd) as output->fd.  Returns 0, or -1 with *error.
	 */
	int (*open)(struct log_output *output, struct error *error);
	/* Writes whole lines and tells how much was taken; never blocks. */
	enum log_taken (*write)(
		struct log_output *output, const char *lines, size_t length, size_t *taken);
};

struct log_output {
	struct log_output *next;
	const struct log_output_ops *ops;
	unsigned shares; /* sinks that write here */
	enum log_target to;
	char *path; /* owned; with `to` what makes it this one */
	int stderr_fd;
	int fd;               /* own; -1: none (syslog absent, stderr closed) */
	bool is_socket;       /* stderr: written with send(2) */
	bool is_guarded;      /* stderr: fd shares an inherited description that may block */
	int64_t next_open_ns; /* syslog: not to be connected before (monotonic) */
	bool is_cut;          /* the begin of the first line was taken already */
	size_t start;         /* what waits is buffer[start..end) */
	size_t end;
	char *buffer;             /* owned, LOG_BUFFER_SIZE */
	uint64_t untold;          /* lines dropped and not yet told in the buffer */
	uint64_t told;            /* lines that the log-dropped line in the buffer tells of */
	size_t told_end;          /* where that line ends in the buffer; 0: there is none */
	struct log_sink *told_by; /* the sink that last dropped one; it tells */
	int64_t time_key;         /* the ms (syslog: s) that time_text stands for */
	char time_text[CLOCK_TEXT_SIZE];
};

struct log_sink {
	struct log_sink *next;
	struct log_output *output;
	enum log_format format;
	int facility;
	unsigned shares;
};

/* The kinds, by enum log_target. */
extern const struct log_output_ops log_stderr_ops;
extern const struct log_output_ops log_syslog_ops;
extern const struct log_output_ops log_file_ops;

/* log_sink_open(), for a world elsewhere. */
int log_sink_open_at(const struct log_spec *spec, const struct log_places *places,
	struct log_sink **sink, struct error *error);

/* Takes the finished fields of a record, or drops and counts them. */
void log_sink_put(struct log_sink *sink, enum log_level level, const char *fields, size_t length);

/* Composes the whole line (length + LOG_FRAME_SIZE at most) to line; returns its length. */
size_t log_sink_frame(
	struct log_sink *sink, enum log_level level, const char *fields, size_t length, char *line);

#endif
