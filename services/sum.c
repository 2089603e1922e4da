/*
 * sum: adds pairs of integers, as text or in binary.
 *
 * Answers to requests that came together leave together, in one write.
 */
#include "config.h"

#include "services/addition.h"
#include "services/lib/io.h"
#include "services/lib/line.h"
#include "services/lib/serve.h"
#include "services/lib/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE 16384

enum form { FORM_TEXT, FORM_XDR, FORM_NATIVE };

static enum addition_order form_order(const struct serve *serve)
{
	const enum form *form = serve->service->state;

	return *form == FORM_XDR ? ORDER_BIG : ORDER_NATIVE;
}

/* Sends the answers composed so far and starts anew.  0, or -1 with errno. */
static int answers_flush(struct text *answers, int idle_ms)
{
	struct io_deadline deadline = io_deadline_idle(idle_ms);
	size_t length = answers->used;

	answers->used = 0;
	return length > 0 ? io_write_full(STDOUT_FILENO, answers->data, length, &deadline) : 0;
}

static int text_stream(const struct serve *serve)
{
	static char input[BUFFER_SIZE], output[BUFFER_SIZE];
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	enum line_status status;
	struct line_reader reader;
	struct text answers;

	line_reader_init(&reader, STDIN_FILENO, input, sizeof(input));
	text_begin(&answers, output, sizeof(output));
	do {
		char *line = NULL;
		size_t length = 0;

		if ((!line_ready(&reader) || answers.size - answers.used < ADDITION_TEXT_SIZE) &&
			answers_flush(&answers, serve->idle_ms) != 0)
			return serve_failed("write");
		status = line_read(&reader, ADDITION_MAX_LINE, &deadline, &line, &length);
		if (status == LINE_TIMEOUT || status == LINE_ERROR)
			return serve_failed("read");
		if (status != LINE_END)
			addition_answer(&answers, line, length); /* too long: "", which fails */
	} while (status == LINE_OK || status == LINE_TOO_LONG);
	return answers_flush(&answers, serve->idle_ms) == 0 ? STATUS_DONE : serve_failed("write");
}

/* Answers the requests in data; *held, the bytes there, becomes what is left.  A status, or -1. */
static int binary_answer(const struct serve *serve, uint8_t *data, size_t *held)
{
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	size_t whole = *held / ADDITION_REQUEST_SIZE;
	size_t left = *held % ADDITION_REQUEST_SIZE;
	size_t answered = addition_binary(data, *held, form_order(serve));

	if (answered > 0 &&
		io_write_full(STDOUT_FILENO, data, answered * ADDITION_ANSWER_SIZE, &deadline) != 0)
		return serve_failed("write");
	if (answered < whole)
		return serve_refused("the sum does not fit 64 bits");
	memmove(data, data + whole * ADDITION_REQUEST_SIZE, left);
	*held = left;
	return -1;
}

static int binary_stream(const struct serve *serve)
{
	static uint8_t data[BUFFER_SIZE];
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	size_t held = 0;

	for (;;) {
		ssize_t got = io_read(STDIN_FILENO, data + held, sizeof(data) - held, &deadline);
		int status;

		if (got < 0)
			return serve_failed("read");
		if (got == 0)
			return held == 0 ? STATUS_DONE : serve_refused("closed within a request");
		held += (size_t)got;
		status = binary_answer(serve, data, &held);
		if (status >= 0)
			return status;
	}
}

static int sum_stream(const struct serve *serve)
{
	const enum form *form = serve->service->state;
	int status = *form == FORM_TEXT ? text_stream(serve) : binary_stream(serve);

	if (status == STATUS_FAILED)
		io_finish(STDIN_FILENO, STDOUT_FILENO); /* the answers so far are to arrive */
	return status;
}

static ssize_t sum_datagram(const struct serve *serve, char *data, size_t length, size_t size)
{
	static char output[ADDITION_DATAGRAM_SIZE];
	const enum form *form = serve->service->state;
	size_t answered, answer;

	(void)size;
	if (*form == FORM_TEXT) {
		answer = addition_datagram(data, length, output);
		memcpy(data, output, answer);
		return answer > 0 ? (ssize_t)answer : SERVE_NO_ANSWER;
	}
	answered = addition_binary((uint8_t *)data, length, form_order(serve));
	if (answered == 0 || answered * ADDITION_REQUEST_SIZE != length)
		return SERVE_MALFORMED;
	return (ssize_t)(answered * ADDITION_ANSWER_SIZE);
}

static int sum_option(void *state, const struct options_entry *entry, const char *value)
{
	enum form *form = state;

	(void)entry;
	if (strcmp(value, "xdr") == 0)
		*form = FORM_XDR;
	else if (strcmp(value, "native") == 0)
		*form = FORM_NATIVE;
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct options_entry options[] = {
		{'b', "binary", "xdr|native", "64-bit integers in network or in own byte order"},
	};
	enum form form = FORM_TEXT;
	const struct service sum = {
		.summary = "adds the two integers of each line or of each 16 bytes",
		.option_count = sizeof(options) / sizeof(options[0]),
		.options = options,
		.option_cb = sum_option,
		.stream_cb = sum_stream,
		.datagram_cb = sum_datagram,
		.state = &form,
	};

	return serve_main(&sum, argc, argv);
}
