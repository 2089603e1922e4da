/*
 * chargen: the rotating pattern of 72 columns until the client leaves (RFC 864).
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/serve.h"

#include <errno.h>
#include <unistd.h>

#define FIRST ' '
#define KINDS 95 /* printable ASCII characters */
#define COLUMNS 72
#define LINE (COLUMNS + 2)
#define CYCLE (KINDS * LINE) /* behind that it begins again */

/* RFC 864: an answer holds at most 512 characters. */
#define MAX_DATAGRAM 512

/* The pattern's bytes from its beginning; length is at most CYCLE. */
static void pattern_write(char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		size_t line = i / LINE, column = i % LINE;

		if (column < COLUMNS)
			data[i] = (char)(FIRST + (line + column) % KINDS);
		else
			data[i] = column == COLUMNS ? '\r' : '\n';
	}
}

/* Throws away what the client says; *ended at its end of file.  0, or -1 with errno. */
static int input_drop(bool *ended)
{
	struct io_deadline now = io_deadline_idle(0);
	char scrap[4096];
	ssize_t got = io_read(STDIN_FILENO, scrap, sizeof(scrap), &now);

	*ended = got == 0;
	return got < 0 && errno != ETIMEDOUT ? -1 : 0;
}

/* The pattern has no end, so a client that leaves is how it is meant to end. */
static int chargen_end(const char *what)
{
	return errno == EPIPE || errno == ECONNRESET ? STATUS_DONE : serve_failed(what);
}

/* Waits until more can be sent, and meanwhile reads.  0, or -1 with errno. */
static int chargen_wait(const struct serve *serve, bool *ended)
{
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	struct pollfd watches[] = {
		{.fd = STDOUT_FILENO, .events = POLLOUT},
		{.fd = *ended ? -1 : STDIN_FILENO, .events = POLLIN},
	};

	if (io_wait_any(watches, 2, &deadline) != 0)
		return -1;
	return watches[1].revents != 0 ? input_drop(ended) : 0;
}

static int chargen_stream(const struct serve *serve)
{
	static char pattern[CYCLE];
	struct io_deadline now = io_deadline_idle(0);
	size_t next = 0;
	bool ended = false;

	pattern_write(pattern, CYCLE);
	for (;;) {
		ssize_t put = io_write(STDOUT_FILENO, pattern + next, CYCLE - next, &now);

		if (put > 0)
			next = (next + (size_t)put) % CYCLE;
		else if (errno != ETIMEDOUT)
			return chargen_end("write");
		else if (chargen_wait(serve, &ended) != 0)
			return chargen_end("waiting for the client");
	}
}

static ssize_t chargen_datagram(const struct serve *serve, char *data, size_t length, size_t size)
{
	/* Never more than came, so that a forged source gains nothing. */
	size_t answer = length < MAX_DATAGRAM ? length : MAX_DATAGRAM;

	(void)serve;
	(void)size;
	pattern_write(data, answer);
	return (ssize_t)answer;
}

int main(int argc, char **argv)
{
	static const struct service chargen = {
		.summary =
			"sends a rotating pattern of characters until the client leaves (RFC 864)",
		.stream_cb = chargen_stream,
		.datagram_cb = chargen_datagram,
	};

	return serve_main(&chargen, argc, argv);
}
