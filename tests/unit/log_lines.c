/*
 * log_lines: numbered lines into a sink and out again.
 */
#include "config.h"
#include "tests/unit/log_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct log_sink *sink_open(const struct log_spec *spec, const struct log_places *places)
{
	struct log_sink *sink = NULL;
	struct error error;

	if (log_sink_open_at(spec, places, &sink, &error) == -1)
		fail_msg("%s", error.text);
	return sink;
}

struct log_sink *sink_open_file(const char *path, enum log_format format)
{
	const struct log_spec spec = {.to = LOG_TO_FILE, .format = format, .file = path};
	struct log_sink *sink = NULL;
	struct error error;

	if (log_sink_open(&spec, &sink, &error) == -1)
		fail_msg("%s", error.text);
	return sink;
}

void log_numbered(struct log_sink *sink, unsigned number, int width)
{
	struct log_record record;

	log_begin(&record, sink, LEVEL_INFO, "test");
	log_int(&record, "n", number);
	if (width > 0)
		log_format(&record, "pad", "%0*d", width, 0);
	log_end(&record);
}

static void take_line(struct line_reader *reader, const char *line)
{
	unsigned number;

	/* "2026-11-20T15:16:00.123Z info event=test n=17 ..." */
	assert_true(strlen(line) > 30);
	assert_true(line[10] == 'T' && line[23] == 'Z' && line[24] == ' ');
	line += 25;
	if (sscanf(line, "warning event=log-dropped count=%u", &number) == 1) {
		assert_true(number > 0);
		reader->next += number;
		reader->told += number;
		reader->tellers++;
		return;
	}
	assert_int_equal(sscanf(line, "info event=test n=%u", &number), 1);
	assert_int_equal(number, reader->next);
	reader->next++;
	reader->seen++;
}

static void take_bytes(struct line_reader *reader, const char *bytes, size_t length)
{
	char *newline;

	assert_true(reader->used + length < sizeof(reader->rest));
	memcpy(reader->rest + reader->used, bytes, length);
	reader->used += length;
	while ((newline = memchr(reader->rest, '\n', reader->used)) != NULL) {
		size_t size = (size_t)(newline - reader->rest) + 1;

		*newline = '\0';
		take_line(reader, reader->rest);
		reader->used -= size;
		memmove(reader->rest, reader->rest + size, reader->used);
	}
}

void lines_drain(struct line_reader *reader, int fd, size_t limit)
{
	char bytes[4096];
	size_t total = 0;
	ssize_t got;

	do {
		size_t want =
			limit == 0 || limit - total > sizeof(bytes) ? sizeof(bytes) : limit - total;

		got = want == 0 ? 0 : read(fd, bytes, want);
		if (got > 0) {
			take_bytes(reader, bytes, (size_t)got);
			total += (size_t)got;
		}
	} while (got > 0);
	assert_true(got == 0 || errno == EAGAIN);
}

void lines_read_file(struct line_reader *reader, const char *path)
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	lines_drain(reader, fd, 0);
	close(fd);
}

void place_make(struct place *place)
{
	strcpy(place->directory, "/tmp/superd-test-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	snprintf(place->path, sizeof(place->path), "%s/log", place->directory);
	snprintf(place->other, sizeof(place->other), "%s/log.1", place->directory);
}

void place_remove(const struct place *place)
{
	unlink(place->path);
	unlink(place->other);
	assert_int_equal(rmdir(place->directory), 0);
}
