/*
 * libFuzzer target: the line reader, against a reader that has the whole text at hand.  The first
 * three bytes choose the pieces, the buffer and the longest line.  By hand, in the build tree:
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DHAVE_CONFIG_H -I. -I.. -o fuzz_line \
 *     ../tests/fuzz/fuzz_line.c ../services/lib/line.c ../services/lib/io.c
 */
#include "config.h"

#include "services/lib/line.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_TEXT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct checker {
	const char *text;
	size_t length;
	size_t at; /* where the next line begins */
	size_t max_line;
};

/* Compares one result with the text; where it lies is moved on. */
static void result_check(
	struct checker *checker, enum line_status status, const char *line, size_t length)
{
	const char *begin = checker->text + checker->at;
	size_t left = checker->length - checker->at;
	const char *newline = left > 0 ? memchr(begin, '\n', left) : NULL;
	size_t wanted = newline != NULL ? (size_t)(newline - begin) : left;

	if (newline != NULL && wanted > 0 && newline[-1] == '\r')
		wanted--;
	if (status == LINE_TOO_LONG) {
		if (wanted <= checker->max_line)
			abort();
	} else if (status == LINE_END) {
		if (left != 0)
			abort();
	} else if ((status == LINE_OK) != (newline != NULL) || left == 0 ||
		   wanted > checker->max_line || length != wanted ||
		   memcmp(line, begin, length) != 0 || line[length] != '\0') {
		abort();
	}
	checker->at = newline != NULL ? (size_t)(newline - checker->text) + 1 : checker->length;
}

/* Reads until there is nothing more for now.  Returns whether the end was read. */
static bool reader_run(struct line_reader *reader, struct checker *checker)
{
	for (;;) {
		struct io_deadline now = io_deadline_total(0);
		char *line = NULL;
		size_t length = 0;
		enum line_status status =
			line_read(reader, checker->max_line, &now, &line, &length);

		if (status == LINE_TIMEOUT)
			return false;
		if (status == LINE_ERROR)
			abort();
		result_check(checker, status, line, length);
		if (status == LINE_END)
			return true;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct checker checker;
	struct line_reader reader;
	size_t piece, room;
	char *buffer;
	int pair[2];

	if (size < 3 || size > MAX_TEXT || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return 0;
	checker = (struct checker){
		.text = (const char *)data + 3, .length = size - 3, .max_line = data[2] % 32};
	piece = 1 + data[0];
	room = LINE_BUFFER_SIZE(checker.max_line) + data[1];
	buffer = malloc(room);
	line_reader_init(&reader, pair[0], buffer, room);
	for (size_t sent = 0; sent < checker.length; sent += piece) {
		size_t now = checker.length - sent < piece ? checker.length - sent : piece;

		if (write(pair[1], checker.text + sent, now) != (ssize_t)now)
			abort();
		if (reader_run(&reader, &checker))
			abort();
	}
	close(pair[1]);
	if (!reader_run(&reader, &checker))
		abort();
	close(pair[0]);
	free(buffer);
	return 0;
}
