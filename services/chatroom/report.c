/*
 * report: what the room writes to its log, one function an event.
 */
#include "config.h"

#include "services/chatroom/report.h"
#include "services/lib/note.h"
#include "services/lib/text.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

/* Whether a line can be written without waiting: a pipe that is ready takes PIPE_BUF bytes. */
static bool log_ready(void)
{
	struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&log, 1, 0) > 0 && (log.revents & POLLOUT) != 0;
}

/* Counts an event; true where a line is due for it. */
static bool often_due(struct report_often *often, int64_t now_ns)
{
	often->count++;
	return (often->last_ns == 0 || now_ns - often->last_ns >= NS_PER_S) && log_ready();
}

static void often_written(struct report_often *often, int64_t now_ns)
{
	often->last_ns = now_ns;
	often->count = 0;
}

void report_slow(const struct client *client)
{
	char line[NOTE_SIZE];
	struct text text;

	if (!log_ready())
		return;
	text_begin(&text, line, sizeof(line));
	text_add(&text, client->name);
	text_add(&text, " (");
	text_add(&text, client->address);
	text_add(&text, ") dropped: it does not read, its queue of ");
	text_add_unsigned(&text, client->queue.size);
	text_add(&text, " bytes is full");
	note(line, NULL);
}

void report_refused(
	struct report_often *often, const char *address, const char *reason, int64_t now_ns)
{
	char line[NOTE_SIZE];
	struct text text;

	if (!often_due(often, now_ns))
		return;
	text_begin(&text, line, sizeof(line));
	text_add(&text, address);
	text_add(&text, " refused: ");
	text_add(&text, reason);
	if (often->count > 1) {
		text_add(&text, " (and ");
		text_add_unsigned(&text, often->count - 1);
		text_add(&text, " before it)");
	}
	note(line, NULL);
	often_written(often, now_ns);
}

void report_accept(struct report_often *often, int64_t now_ns)
{
	int saved = errno;

	if (often_due(often, now_ns)) {
		errno = saved;
		note_errno("accept");
		often_written(often, now_ns);
	}
	errno = saved;
}
