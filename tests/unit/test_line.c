/*
 * Tests of services/lib/line: every way a line can end, in every way it can arrive.
 */
#include "config.h"

#include "services/lib/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_LINE 5
#define MAX_SCRIPT 4096

/* Both ends of the connection that a reader reads, and what it was told, as text. */
struct fixture {
	int ours, theirs;
	char script[MAX_SCRIPT];
	size_t used;
};

static void fixture_open(struct fixture *fixture)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	*fixture = (struct fixture){.ours = pair[0], .theirs = pair[1]};
}

static void script_add(struct fixture *fixture, const char *bytes, size_t length)
{
	assert_true(fixture->used + length < sizeof(fixture->script));
	memcpy(fixture->script + fixture->used, bytes, length);
	fixture->used += length;
}

/* Reads until nothing more is there.  Lines are noted as "[line]", the last as "{line}", an
   overlong one as "!", the end as "$". */
static void reader_run(struct fixture *fixture, struct line_reader *reader)
{
	for (;;) {
		struct io_deadline now = io_deadline_total(0);
		char *line;
		size_t length;

		switch (line_read(reader, MAX_LINE, &now, &line, &length)) {
		case LINE_OK:
			assert_int_equal(line[length], '\0');
			script_add(fixture, "[", 1);
			script_add(fixture, line, length);
			script_add(fixture, "]", 1);
			break;
		case LINE_UNTERMINATED:
			assert_int_equal(line[length], '\0');
			script_add(fixture, "{", 1);
			script_add(fixture, line, length);
			script_add(fixture, "}", 1);
			break;
		case LINE_TOO_LONG:
			script_add(fixture, "!", 1);
			break;
		case LINE_END:
			script_add(fixture, "$", 1);
			return;
		case LINE_TIMEOUT:
			return;
		case LINE_ERROR:
			fail_msg("the read failed");
		}
	}
}

/* Sends text in pieces of `piece` bytes through a buffer of `size` and compares the notes. */
static void text_check(const char *text, size_t length, size_t piece, size_t size,
	const char *script, size_t script_length)
{
	struct fixture fixture;
	struct line_reader reader;
	char *buffer = malloc(size); /* of its exact size, for the sanitizers */

	fixture_open(&fixture);
	line_reader_init(&reader, fixture.ours, buffer, size);
	for (size_t sent = 0; sent < length; sent += piece) {
		size_t now = length - sent < piece ? length - sent : piece;

		assert_int_equal(write(fixture.theirs, text + sent, now), now);
		reader_run(&fixture, &reader);
	}
	close(fixture.theirs);
	reader_run(&fixture, &reader);
	assert_int_equal(fixture.used, script_length);
	assert_memory_equal(fixture.script, script, script_length);
	close(fixture.ours);
	free(buffer);
}

static void every_end_is_told_apart(void **state)
{
#define TEXT(string) string, sizeof(string) - 1
	static const struct {
		const char *text;
		size_t length;
		const char *script;
		size_t script_length;
	} cases[] = {
		{TEXT(""), TEXT("$")},
		{TEXT("a\n"), TEXT("[a]$")},
		{TEXT("a\r\n"), TEXT("[a]$")},
		{TEXT("a"), TEXT("{a}$")},
		{TEXT("a\nb"), TEXT("[a]{b}$")},
		{TEXT("\n\r\n\n"), TEXT("[][][]$")},
		{TEXT("12345\n"), TEXT("[12345]$")},
		{TEXT("12345\r\n1\n"), TEXT("[12345][1]$")},
		{TEXT("12345"), TEXT("{12345}$")},
		{TEXT("123456\n"), TEXT("!$")},
		{TEXT("123456\r\na\n"), TEXT("![a]$")},
		{TEXT("123456"), TEXT("!$")},
		{TEXT("12345678901234567890\nok\n"), TEXT("![ok]$")},
		{TEXT("123456\n123456\nok"), TEXT("!!{ok}$")},
		{TEXT("12345\r"), TEXT("!$")},
		{TEXT("1234\r"), TEXT("{1234\r}$")},
		{TEXT("12345\r6\nx\n"), TEXT("![x]$")},
		{TEXT("1\r2\n"), TEXT("[1\r2]$")},
		{TEXT("1\r\r\n"), TEXT("[1\r]$")},
		{TEXT("\r"), TEXT("{\r}$")},
		{TEXT("a\0b\n\0\n"), TEXT("[a\0b][\0]$")},
		{TEXT("\0\0\0\0\0\0\n"), TEXT("!$")},
	};
#undef TEXT
	static const size_t sizes[] = {LINE_BUFFER_SIZE(MAX_LINE), LINE_BUFFER_SIZE(MAX_LINE) + 1,
		LINE_BUFFER_SIZE(MAX_LINE) + 9, 4096};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++)
			for (size_t piece = 1; piece <= cases[i].length + 1; piece++)
				text_check(cases[i].text, cases[i].length, piece, sizes[size],
					cases[i].script, cases[i].script_length);
}

/* The same by another, simpler way: all at once and with the whole text at hand. */
static size_t script_expect(const char *text, size_t length, char *script)
{
	size_t used = 0;

	for (size_t start = 0; start < length;) {
		const char *newline = memchr(text + start, '\n', length - start);
		size_t end = newline != NULL ? (size_t)(newline - text) : length;
		size_t line = end - start;

		if (newline != NULL && line > 0 && text[end - 1] == '\r')
			line--;
		if (line > MAX_LINE) {
			script[used++] = '!';
		} else {
			script[used++] = newline != NULL ? '[' : '{';
			memcpy(script + used, text + start, line);
			used += line;
			script[used++] = newline != NULL ? ']' : '}';
		}
		start = end + 1;
	}
	script[used++] = '$';
	return used;
}

static void random_texts_are_read_alike_in_all_pieces(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 500; round++) {
		char text[200], script[MAX_SCRIPT];
		size_t length = (size_t)random() % sizeof(text);

		for (size_t i = 0; i < length; i++)
			text[i] = "aaab\r\r\n\n"[random() % 8];
		text_check(text, length, 1 + (size_t)random() % 20,
			LINE_BUFFER_SIZE(MAX_LINE) + (size_t)random() % 30, script,
			script_expect(text, length, script));
	}
}

static void bytes_follow_lines(void **state)
{
	char buffer[64], data[64], *line;
	struct io_deadline deadline = io_deadline_total(5000);
	struct fixture fixture;
	struct line_reader reader;
	size_t length;

	(void)state;
	fixture_open(&fixture);
	line_reader_init(&reader, fixture.ours, buffer, sizeof(buffer));
	assert_int_equal(write(fixture.theirs, "one\ntwo\nbody\nbody", 17), 17);
	assert_false(line_ready(&reader));
	assert_int_equal(line_read(&reader, MAX_LINE, &deadline, &line, &length), LINE_OK);
	assert_string_equal(line, "one");
	assert_true(line_ready(&reader));
	assert_int_equal(line_read(&reader, MAX_LINE, &deadline, &line, &length), LINE_OK);
	assert_string_equal(line, "two");
	assert_int_equal(line_take(&reader, data, 2, &deadline), 2);
	assert_memory_equal(data, "bo", 2);
	assert_true(line_ready(&reader));
	assert_int_equal(line_take(&reader, data, sizeof(data), &deadline), 7);
	assert_memory_equal(data, "dy\nbody", 7);
	assert_false(line_ready(&reader));
	assert_int_equal(write(fixture.theirs, "more", 4), 4);
	assert_int_equal(line_take(&reader, data, sizeof(data), &deadline), 4);
	close(fixture.theirs);
	assert_int_equal(line_take(&reader, data, sizeof(data), &deadline), 0);
	close(fixture.ours);
}

static void time_outs_and_errors_are_told(void **state)
{
	char buffer[64], *line;
	struct io_deadline deadline = io_deadline_total(20);
	struct fixture fixture;
	struct line_reader reader;
	size_t length;

	(void)state;
	fixture_open(&fixture);
	line_reader_init(&reader, fixture.ours, buffer, sizeof(buffer));
	assert_int_equal(write(fixture.theirs, "hal", 3), 3);
	assert_int_equal(line_read(&reader, MAX_LINE, &deadline, &line, &length), LINE_TIMEOUT);
	/* The deadline holds for all calls that share it, and nothing was lost. */
	assert_int_equal(line_read(&reader, MAX_LINE, &deadline, &line, &length), LINE_TIMEOUT);
	assert_int_equal(write(fixture.theirs, "f\n", 2), 2);
	deadline = io_deadline_idle(5000);
	assert_int_equal(line_read(&reader, MAX_LINE, &deadline, &line, &length), LINE_OK);
	assert_string_equal(line, "half");
	close(fixture.theirs);
	close(fixture.ours);
	assert_int_equal(line_read(&reader, MAX_LINE, &deadline, &line, &length), LINE_ERROR);
}

static void statuses_have_names(void **state)
{
	(void)state;
	assert_string_equal(line_status_name(LINE_OK), "line");
	assert_string_equal(line_status_name(LINE_TOO_LONG), "too long");
	assert_string_equal(line_status_name(LINE_END), "end of file");
	assert_string_equal(line_status_name(LINE_UNTERMINATED), "unterminated line");
	assert_string_equal(line_status_name(LINE_TIMEOUT), "time-out");
	assert_string_equal(line_status_name(LINE_ERROR), "error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_end_is_told_apart),
		cmocka_unit_test(random_texts_are_read_alike_in_all_pieces),
		cmocka_unit_test(bytes_follow_lines),
		cmocka_unit_test(time_outs_and_errors_are_told),
		cmocka_unit_test(statuses_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
