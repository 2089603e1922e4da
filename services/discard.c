/*
 * discard: reads until end of file and throws it away (RFC 863); on request it counts how many
 * receives it takes to collect what the client sent in one piece.
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/note.h"
#include "services/lib/serve.h"
#include "services/lib/text.h"

#include <errno.h>
#include <unistd.h>

#define BUFFER_SIZE 65536
#define PER_MILLE 1000

struct discard {
	bool report;       /* -r: a line for each receive */
	uint64_t expected; /* -n: bytes; 0: not said */
	uint64_t received;
	uint64_t receives;
};

static int discard_option(void *state, const struct options_entry *entry, const char *value)
{
	struct discard *discard = state;

	if (entry->letter == 'r') {
		discard->report = true;
		return 0;
	}
	/* The bound keeps the percentage's numerator in 64 bits. */
	return text_parse_unsigned(value, 1, UINT64_MAX / PER_MILLE, &discard->expected);
}

static uint64_t bytes_missing(const struct discard *discard)
{
	return discard->received < discard->expected ? discard->expected - discard->received : 0;
}

/* "receive 2: 16384 bytes, 1 still expected, 99.9 %", or without -n "..., 32768 in all". */
static void receive_report(const struct discard *discard, size_t length)
{
	char line[NOTE_SIZE];
	struct text text;

	text_begin(&text, line, sizeof(line));
	text_add(&text, "receive ");
	text_add_unsigned(&text, discard->receives);
	text_add(&text, ": ");
	text_add_unsigned(&text, length);
	text_add(&text, " bytes, ");
	if (discard->expected == 0) {
		text_add_unsigned(&text, discard->received);
		text_add(&text, " in all");
	} else {
		uint64_t per_mille = bytes_missing(discard) == 0
					     ? PER_MILLE
					     : discard->received * PER_MILLE / discard->expected;

		text_add_unsigned(&text, bytes_missing(discard));
		text_add(&text, " still expected, ");
		text_add_unsigned(&text, per_mille / 10);
		text_add_char(&text, '.');
		text_add_unsigned(&text, per_mille % 10);
		text_add(&text, " %");
	}
	note(line, NOTE_END);
}

static void receive_count(struct discard *discard, size_t length)
{
	discard->receives++;
	discard->received += length;
	if (discard->report)
		receive_report(discard, length);
}

/* "received 32769 bytes in 3 receives" */
static void total_report(const struct discard *discard)
{
	char line[NOTE_SIZE];
	struct text text;

	text_begin(&text, line, sizeof(line));
	text_add(&text, "received ");
	text_add_unsigned(&text, discard->received);
	text_add(&text, " bytes in ");
	text_add_unsigned(&text, discard->receives);
	text_add(&text, discard->receives == 1 ? " receive" : " receives");
	note(line, NOTE_END);
}

/* "the client closed early: 100 of 32769 bytes are missing" */
static int early_end_report(const struct discard *discard)
{
	char line[NOTE_SIZE];
	struct text text;

	text_begin(&text, line, sizeof(line));
	text_add(&text, "the client closed early: ");
	text_add_unsigned(&text, bytes_missing(discard));
	text_add(&text, " of ");
	text_add_unsigned(&text, discard->expected);
	text_add(&text, " bytes are missing");
	return serve_refused(line);
}

/* What to ask for: not more than what is expected, as the classic program does. */
static size_t receive_size(const struct discard *discard)
{
	uint64_t missing = bytes_missing(discard);

	return missing > 0 && missing < BUFFER_SIZE ? (size_t)missing : BUFFER_SIZE;
}

static int discard_stream(const struct serve *serve)
{
	static char buffer[BUFFER_SIZE];
	struct discard *discard = serve->service->state;
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	ssize_t got;
	int saved;

	while ((got = io_drop(STDIN_FILENO, buffer, receive_size(discard), &deadline)) > 0)
		receive_count(discard, (size_t)got);
	saved = errno;
	if (discard->report)
		total_report(discard);
	if (got < 0) {
		errno = saved;
		return serve_failed("read");
	}
	return bytes_missing(discard) > 0 ? early_end_report(discard) : STATUS_DONE;
}

static ssize_t discard_datagram(const struct serve *serve, char *data, size_t length, size_t size)
{
	(void)data;
	(void)size;
	receive_count(serve->service->state, length);
	return SERVE_NO_ANSWER;
}

int main(int argc, char **argv)
{
	static const struct options_entry options[] = {
		{'r', "report", NULL, "log each receive, and at the end their number"},
		{'n', "expect", "BYTES", "how many bytes the client is to send"},
	};
	struct discard discard = {0};
	const struct service service = {
		.summary = "reads until end of file and throws it away (RFC 863)",
		.option_count = sizeof(options) / sizeof(options[0]),
		.options = options,
		.option_cb = discard_option,
		.stream_cb = discard_stream,
		.datagram_cb = discard_datagram,
		.silent = true,
		.state = &discard,
	};

	return serve_main(&service, argc, argv);
}
