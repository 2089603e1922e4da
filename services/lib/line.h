/*
 * line: reads lines from a descriptor through one buffer, with a maximum length and a deadline.
 *
 * A line ends with LF or CRLF.  What has been read beyond a line is kept, and is to be had with
 * line_take(), so that a protocol may go from lines to bytes without losing any.
 */
#ifndef SERVICES_LIB_LINE_H
#define SERVICES_LIB_LINE_H

#include "services/lib/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum line_status {
	LINE_OK,           /* a line */
	LINE_TOO_LONG,     /* it is longer than allowed: told once, at the first byte too much; the
			      next call drops the rest of it */
	LINE_END,          /* end of file, nothing left */
	LINE_UNTERMINATED, /* the last line, which end of file ended instead of a newline */
	LINE_TIMEOUT,      /* the deadline has passed; what came so far is kept */
	LINE_ERROR,        /* the read failed, see errno */
};

/* "line", "too long", "end of file", "unterminated line", "time-out", "error". */
const char *line_status_name(enum line_status status);

/* Room that a reader of lines of at most max_length bytes needs: CR and LF come on top. */
#define LINE_BUFFER_SIZE(max_length) ((max_length) + 2)

/* Treat as opaque. */
struct line_reader {
	int fd;
	char *buffer; /* the caller's */
	size_t size;
	size_t start;  /* first byte that was not handed out */
	size_t end;    /* behind the last byte read */
	size_t seen;   /* bytes from start on that are known to hold no LF */
	bool dropping; /* the rest of an overlong line is being dropped */
	bool ended;    /* end of file was read */
};

/*
 * Starts to read fd through buffer, which stays the caller's and must outlive the reader.  A larger
 * buffer makes fewer reads; it bounds the longest line, too (LINE_BUFFER_SIZE).
 */
void line_reader_init(struct line_reader *reader, int fd, char *buffer, size_t size);

/*
 * The next line of at most max_length bytes (its end not counted; at most size - 2).  With LINE_OK
 * and LINE_UNTERMINATED *line is the line without its end, NUL-terminated in the buffer and valid
 * until the next call, and *length its length (it may hold NULs itself).  With a deadline of 0 ms
 * it never waits, and LINE_TIMEOUT means that there is no whole line yet.
 */
enum line_status line_read(struct line_reader *reader, size_t max_length,
	struct io_deadline *deadline, char **line, size_t *length);

/* Whether a whole line is already in the buffer, so that line_read() would not read fd. */
bool line_ready(struct line_reader *reader);

/*
 * Bytes instead of a line: what is left in the buffer first, then io_read().  Returns their number
 * (at least 1), 0 at end of file, or -1 with errno.
 */
ssize_t line_take(
	struct line_reader *reader, void *data, size_t size, struct io_deadline *deadline);

#endif
