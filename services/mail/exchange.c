/*
 * exchange: one dialogue's two descriptors, its input buffer and its time.
 */
#include "config.h"

#include "services/mail/exchange.h"
#include "services/lib/note.h"
#include "services/lib/peer.h"
#include "services/lib/serve.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_SIZE 256

/* How long and how much is read away from a client that does not stop sending. */
#define DRAIN_MS 5000
#define DRAIN_BYTES (16 * 1048576)

void exchange_begin(struct exchange *exchange, const struct settings *settings, int in, int out)
{
	exchange->in = in;
	exchange->out = out;
	exchange->deadline = io_deadline_within(settings->idle_ms, settings->total_ms);
	exchange->start = exchange->end = 0;
}

ssize_t exchange_take(struct exchange *exchange, size_t max, const char **data)
{
	size_t held = exchange->end - exchange->start;

	if (held == 0) {
		size_t size = max < EXCHANGE_BUFFER ? max : EXCHANGE_BUFFER;
		ssize_t got = io_read(exchange->in, exchange->buffer, size, &exchange->deadline);

		if (got <= 0)
			return got;
		exchange->start = 0;
		exchange->end = held = (size_t)got;
	}
	if (held > max)
		held = max;
	*data = exchange->buffer + exchange->start;
	exchange->start += held;
	return (ssize_t)held;
}

int exchange_byte(struct exchange *exchange, char *byte)
{
	if (exchange->start == exchange->end) {
		ssize_t got = io_read(
			exchange->in, exchange->buffer, EXCHANGE_BUFFER, &exchange->deadline);

		if (got <= 0)
			return (int)got;
		exchange->start = 0;
		exchange->end = (size_t)got;
	}
	*byte = exchange->buffer[exchange->start++];
	return 1;
}

int exchange_line(struct exchange *exchange, char *line, size_t size)
{
	size_t length = 0;

	for (;;) {
		char byte = 0;
		int got = exchange_byte(exchange, &byte);

		if (got <= 0)
			return got;
		if (byte == '\n') {
			line[length] = '\0';
			return 1;
		}
		if (byte == '\0' || length + 1 == size)
			return 0;
		line[length++] = byte;
	}
}

/* Sends the end of file, then reads until the client has closed too, within bounds. */
static void exchange_drain(struct exchange *exchange)
{
	struct io_deadline deadline = io_deadline_total(DRAIN_MS);
	size_t drained = 0;

	if (shutdown(exchange->out, SHUT_WR) != 0)
		return; /* no socket: nothing can be reset */
	while (drained < DRAIN_BYTES) {
		ssize_t got = io_read(exchange->in, exchange->buffer, EXCHANGE_BUFFER, &deadline);

		if (got <= 0)
			return;
		drained += (size_t)got;
	}
}

int exchange_answer(struct exchange *exchange, int status, const char *format, ...)
{
	char line[ANSWER_SIZE];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length < 0 || length >= (int)sizeof(line) - 1)
		length = (int)sizeof(line) - 2;
	line[length++] = '\n';
	if (io_write_full(exchange->out, line, (size_t)length, &exchange->deadline) != 0)
		return serve_failed("answer");
	exchange_drain(exchange);
	return status;
}

int exchange_failed(struct exchange *exchange)
{
	static const char answer[] = "421 timed out\n";
	bool timed_out = errno == ETIMEDOUT;

	serve_failed("read");
	if (!timed_out)
		return STATUS_FAILED;
	/* Not waiting any more: its time is up. */
	exchange->deadline = io_deadline_idle(0);
	if (io_write_full(exchange->out, answer, sizeof(answer) - 1, &exchange->deadline) == 0)
		io_finish(exchange->in, exchange->out);
	return STATUS_FAILED;
}

void exchange_note(const char *format, ...)
{
	char client[PEER_TEXT_SIZE];
	char text[NOTE_SIZE];
	struct peer peer;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	peer_client(&peer);
	if (peer.family == AF_UNSPEC)
		note(text, NULL);
	else
		note(peer_format(&peer, client), ": ", text, NULL);
}

int exchange_trouble(struct exchange *exchange, const struct trouble *trouble, bool storing)
{
	exchange_note("%s%s%s", trouble->text, trouble->code != 0 ? ": " : "",
		trouble->code != 0 ? strerror(trouble->code) : "");
	if (storing && trouble_is_storage(trouble))
		return exchange_answer(
			exchange, STATUS_TEMPFAIL, "452 cannot store: %s", strerror(trouble->code));
	return exchange_answer(exchange, STATUS_TEMPFAIL, "451 local error");
}
