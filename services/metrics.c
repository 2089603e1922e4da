/*
 * metrics: superd's counts over HTTP, for a scraper; asked of the control socket.
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/line.h"
#include "services/lib/note.h"
#include "services/lib/serve.h"
#include "services/scrape/http.h"
#include "services/scrape/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_MS 10000 /* for the next byte of superd */

/* Answers with a status instead of metrics. Returns the exit status. */
static int metrics_refuse(
	const struct serve *serve, enum http_status status, bool head, const char *body)
{
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);

	if (http_write_text(STDOUT_FILENO, status, head, body, &deadline) != 0)
		return serve_failed("write");
	io_finish(STDIN_FILENO, STDOUT_FILENO);
	if (status == HTTP_UNAVAILABLE)
		return STATUS_TEMPFAIL;
	if (status == HTTP_OK || status == HTTP_NOT_FOUND || status == HTTP_METHOD_NOT_ALLOWED)
		return STATUS_DONE;
	return serve_refused(http_status_name(status));
}

/* The body, piece by piece. Returns the exit status. */
static int metrics_copy(
	const struct serve *serve, const struct http_request *request, struct source *source)
{
	struct io_deadline client = io_deadline_idle(serve->idle_ms);
	struct io_deadline control = io_deadline_idle(CONTROL_MS);
	char data[SOURCE_PIECE];
	ssize_t count;

	if (http_write_head(STDOUT_FILENO, request, &client) != 0)
		return serve_failed("write");
	while ((count = source_read(source, data, &control)) > 0) {
		if (http_write_piece(STDOUT_FILENO, request, data, (size_t)count, &client) != 0)
			return serve_failed("write");
	}
	if (count < 0) { /* without an end to it, the scraper sees that it was cut */
		note_errno("the control socket");
		return STATUS_TEMPFAIL;
	}
	if (http_write_piece(STDOUT_FILENO, request, NULL, 0, &client) != 0)
		return serve_failed("write");
	io_finish(STDIN_FILENO, STDOUT_FILENO);
	return STATUS_DONE;
}

static int metrics_answer(const struct serve *serve, const struct http_request *request)
{
	const char *const *path = serve->service->state;
	struct io_deadline deadline = io_deadline_idle(CONTROL_MS);
	struct source source;
	const char *reason;
	int status;

	if (source_open(&source, *path, &deadline, &reason) != 0) {
		if (errno != 0)
			note_errno(reason);
		else
			note(reason, NOTE_END);
		return metrics_refuse(serve, HTTP_UNAVAILABLE, request->head,
			"superd cannot be asked; its log says why\n");
	}
	if (request->head) {
		struct io_deadline client = io_deadline_idle(serve->idle_ms);

		status = http_write_head(STDOUT_FILENO, request, &client) == 0
				 ? STATUS_DONE
				 : serve_failed("write");
		io_finish(STDIN_FILENO, STDOUT_FILENO);
	} else {
		status = metrics_copy(serve, request, &source);
	}
	source_close(&source);
	return status;
}

static int metrics_stream(const struct serve *serve)
{
	struct io_deadline deadline = io_deadline_total(serve->idle_ms);
	char buffer[LINE_BUFFER_SIZE(HTTP_LINE_MAX)];
	struct http_request request;
	struct line_reader reader;
	enum http_status status;

	line_reader_init(&reader, STDIN_FILENO, buffer, sizeof(buffer));
	status = http_read(&reader, &deadline, &request);
	if (status == HTTP_GONE)
		return errno == 0 ? STATUS_DONE : serve_failed("read");
	if (status == HTTP_OK && request.metrics)
		return metrics_answer(serve, &request);
	if (status == HTTP_OK)
		status = HTTP_NOT_FOUND;
	return metrics_refuse(serve, status, request.head,
		status == HTTP_NOT_FOUND ? "there is only /metrics\n" : "not understood\n");
}

static int metrics_option(void *state, const struct options_entry *entry, const char *value)
{
	const char **path = state;

	(void)entry;
	*path = value;
	return value[0] == '/' ? 0 : -1;
}

int main(int argc, char **argv)
{
	static const struct options_entry options[] = {
		{'s', "socket", "PATH", "superd's control socket (" SOURCE_DEFAULT ")"},
	};
	const char *path = SOURCE_DEFAULT;
	const struct service service = {
		.summary = "superd's counts over HTTP, as OpenMetrics text at /metrics",
		.option_count = sizeof(options) / sizeof(options[0]),
		.options = options,
		.option_cb = metrics_option,
		.stream_cb = metrics_stream,
		.state = &path,
	};

	return serve_main(&service, argc, argv);
}
