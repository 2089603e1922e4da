/*
 * line: reads lines from a descriptor through one buffer.
 */
#include "config.h"

#include "services/lib/line.h"

#include <errno.h>
#include <string.h>

const char *line_status_name(enum line_status status)
{
	switch (status) {
	case LINE_OK:
		return "line";
	case LINE_TOO_LONG:
		return "too long";
	case LINE_END:
		return "end of file";
	case LINE_UNTERMINATED:
		return "unterminated line";
	case LINE_TIMEOUT:
		return "time-out";
	case LINE_ERROR:
		break;
	}
	return "error";
}

void line_reader_init(struct line_reader *reader, int fd, char *buffer, size_t size)
{
	*reader = (struct line_reader){.fd = fd, .buffer = buffer, .size = size};
}

/* The first LF of what is in the buffer, or NULL; bytes looked at once are not looked at again. */
static char *newline_find(struct line_reader *reader)
{
	char *from = reader->buffer + reader->start + reader->seen;
	char *newline = memchr(from, '\n', reader->end - reader->start - reader->seen);

	if (newline == NULL)
		reader->seen = reader->end - reader->start;
	return newline;
}

bool line_ready(struct line_reader *reader)
{
	return newline_find(reader) != NULL;
}

/* Hands out length bytes from start on; the next line begins behind next. */
static void line_hand_out(
	struct line_reader *reader, size_t length, char *next, char **line, size_t *line_length)
{
	*line = reader->buffer + reader->start;
	*line_length = length;
	(*line)[length] = '\0';
	reader->start = (size_t)(next - reader->buffer);
	reader->seen = 0;
}

/* Reads more behind what is there.  LINE_OK: something came. */
static enum line_status buffer_fill(struct line_reader *reader, struct io_deadline *deadline)
{
	ssize_t got;

	if (reader->start > 0) {
		memmove(reader->buffer, reader->buffer + reader->start,
			reader->end - reader->start);
		reader->end -= reader->start;
		reader->start = 0;
	}
	/* There is room: what is held is at most a line and a CR, else it was too long before. */
	got = io_read(
		reader->fd, reader->buffer + reader->end, reader->size - reader->end, deadline);
	if (got < 0)
		return errno == ETIMEDOUT ? LINE_TIMEOUT : LINE_ERROR;
	if (got == 0) {
		reader->ended = true;
		return LINE_END;
	}
	reader->end += (size_t)got;
	return LINE_OK;
}

/* Drops bytes up to and with the next LF.  LINE_OK: that was it. */
static enum line_status rest_drop(struct line_reader *reader, struct io_deadline *deadline)
{
	for (;;) {
		char *newline = newline_find(reader);
		enum line_status status;

		reader->seen = 0;
		if (newline != NULL) {
			reader->start = (size_t)(newline + 1 - reader->buffer);
			reader->dropping = false;
			return LINE_OK;
		}
		reader->start = reader->end = 0;
		if (reader->ended)
			return LINE_END;
		status = buffer_fill(reader, deadline);
		if (status != LINE_OK)
			return status;
	}
}

/* Whether held bytes without a LF are already more than a line and a CR can be. */
static bool line_overflows(const struct line_reader *reader, size_t held, size_t max_length)
{
	if (held <= max_length)
		return false;
	/* A CR behind the last allowed byte may be half of the line's end, except at the file's. */
	return held > max_length + 1 || reader->ended ||
	       reader->buffer[reader->start + max_length] != '\r';
}

enum line_status line_read(struct line_reader *reader, size_t max_length,
	struct io_deadline *deadline, char **line, size_t *length)
{
	enum line_status status = LINE_OK;

	if (reader->dropping)
		status = rest_drop(reader, deadline);
	while (status == LINE_OK || status == LINE_END) {
		char *newline = newline_find(reader);
		char *begin = reader->buffer + reader->start;
		size_t held = newline ? (size_t)(newline - begin) : reader->end - reader->start;

		if (newline != NULL && held > 0 && newline[-1] == '\r')
			held--;
		if (newline != NULL ? held > max_length
				    : line_overflows(reader, held, max_length)) {
			reader->dropping = true;
			return LINE_TOO_LONG;
		}
		if (newline != NULL) {
			line_hand_out(reader, held, newline + 1, line, length);
			return LINE_OK;
		}
		if (reader->ended) {
			if (held == 0)
				return LINE_END;
			line_hand_out(reader, held, begin + held, line, length);
			return LINE_UNTERMINATED;
		}
		status = buffer_fill(reader, deadline);
	}
	return status;
}

ssize_t line_take(struct line_reader *reader, void *data, size_t size, struct io_deadline *deadline)
{
	size_t held = reader->end - reader->start;

	if (held == 0)
		return reader->ended ? 0 : io_read(reader->fd, data, size, deadline);
	if (held > size)
		held = size;
	memcpy(data, reader->buffer + reader->start, held);
	reader->start += held;
	reader->seen = 0;
	return (ssize_t)held;
}
