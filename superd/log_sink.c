/*
 * log_sink: sharing, buffering, dropping.  The list of outputs is file-static, so that anyone may
 * log without being handed a logger.
 */
#include "config.h"
#include "superd/log_sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	struct log_output *outputs;
	struct log_sink *sinks;
	uint64_t dropped;
} state;

/* --- opening and sharing --- */

static const char *path_of(const struct log_spec *spec, const struct log_places *places)
{
	switch (spec->to) {
	case LOG_TO_STDERR:
		return places->stderr_path;
	case LOG_TO_SYSLOG:
		return places->syslog_path;
	case LOG_TO_FILE:
		break;
	}
	return spec->file;
}

static const struct log_output_ops *ops_of(enum log_target to)
{
	switch (to) {
	case LOG_TO_STDERR:
		return &log_stderr_ops;
	case LOG_TO_SYSLOG:
		return &log_syslog_ops;
	case LOG_TO_FILE:
		break;
	}
	return &log_file_ops;
}

static void output_free(struct log_output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	free(output->buffer);
	free(output->path);
	free(output);
}

static struct log_output *output_new(
	enum log_target to, const char *path, int stderr_fd, struct error *error)
{
	struct log_output *output = calloc(1, sizeof(*output));

	if (output == NULL)
		goto out_of_memory;
	output->to = to;
	output->ops = ops_of(to);
	output->fd = -1;
	output->stderr_fd = stderr_fd;
	output->time_key = INT64_MIN;
	output->path = strdup(path);
	output->buffer = malloc(LOG_BUFFER_SIZE);
	if (output->path == NULL || output->buffer == NULL)
		goto out_of_memory;
	if (output->ops->open(output, error) == -1) {
		output_free(output);
		return NULL;
	}
	output->next = state.outputs;
	state.outputs = output;
	return output;

out_of_memory:
	if (output != NULL)
		output_free(output);
	error_set(error, ENOMEM, "cannot open log %s", path);
	return NULL;
}

static struct log_output *output_find(enum log_target to, const char *path)
{
	struct log_output *output = state.outputs;

	while (output != NULL && (output->to != to || strcmp(output->path, path) != 0))
		output = output->next;
	return output;
}

static struct log_sink *sink_find(
	const struct log_output *output, enum log_format format, int facility)
{
	struct log_sink *sink = state.sinks;

	while (sink != NULL &&
		(sink->output != output || sink->format != format || sink->facility != facility))
		sink = sink->next;
	return sink;
}

int log_sink_open_at(const struct log_spec *spec, const struct log_places *places,
	struct log_sink **sink, struct error *error)
{
	const char *path = path_of(spec, places);
	int facility = spec->to == LOG_TO_SYSLOG ? spec->facility : 0;
	struct log_output *output = output_find(spec->to, path);
	struct log_sink *self = sink_find(output, spec->format, facility);

	if (self != NULL) {
		self->shares++;
		*sink = self;
		return 0;
	}
	self = malloc(sizeof(*self));
	if (self == NULL)
		return error_set(error, ENOMEM, "cannot open log %s", path);
	if (output == NULL)
		output = output_new(spec->to, path, places->stderr_fd, error);
	if (output == NULL) {
		free(self);
		return -1;
	}
	output->shares++;
	*self = (struct log_sink){.next = state.sinks,
		.output = output,
		.format = spec->format,
		.facility = facility,
		.shares = 1};
	state.sinks = self;
	*sink = self;
	return 0;
}

int log_sink_open(const struct log_spec *spec, struct log_sink **sink, struct error *error)
{
	const struct log_places places = {.stderr_fd = STDERR_FILENO,
		.stderr_path = "/proc/self/fd/2",
		.syslog_path = "/dev/log"};

	return log_sink_open_at(spec, &places, sink, error);
}

/* --- the buffer --- */

static uint64_t count_lines(const char *text, size_t length)
{
	const char *end = text + length;
	uint64_t count = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
		text++;
		count++;
	}
	return count;
}

static void count_dropped(struct log_output *output, uint64_t count)
{
	output->untold += count;
	state.dropped += count;
}

static void take(struct log_output *output, size_t taken)
{
	output->start += taken;
	if (output->start >= output->told_end)
		output->told_end = 0;
	output->is_cut = output->buffer[output->start - 1] != '\n';
	if (output->start == output->end)
		output->start = output->end = 0;
}

/* Drops what waits; with keep_cut all but the rest of a line begun. */
static void drop_waiting(struct log_output *output, bool keep_cut)
{
	size_t from = output->start;

	if (keep_cut && output->is_cut) {
		const char *rest = output->buffer + from;

		from += (size_t)((const char *)memchr(rest, '\n', output->end - from) - rest) + 1;
	} else {
		output->is_cut = false;
	}
	count_dropped(output, count_lines(output->buffer + from, output->end - from));
	if (output->told_end > from) { /* nobody was told: that line was none of the dropped */
		output->untold += output->told - 1;
		state.dropped--;
		output->told_end = 0;
	}
	output->end = from;
	if (output->start == output->end)
		output->start = output->end = 0;
}

/* Returns whether the output took all there was. */
static bool write_waiting(struct log_output *output)
{
	while (output->end > 0) {
		size_t taken = 0;

		switch (output->ops->write(output, output->buffer + output->start,
			output->end - output->start, &taken)) {
		case LOG_TAKEN:
			take(output, taken);
			break;
		case LOG_BUSY:
			return false;
		case LOG_FAILED:
			drop_waiting(output, true);
			return false;
		case LOG_GONE:
			drop_waiting(output, false);
			return false;
		}
	}
	return true;
}

static bool has_room(struct log_output *output, size_t length)
{
	if (LOG_BUFFER_SIZE - output->end >= length)
		return true;
	if (output->start == 0)
		return false;
	memmove(output->buffer, output->buffer + output->start, output->end - output->start);
	output->told_end -= output->told_end == 0 ? 0 : output->start;
	output->end -= output->start;
	output->start = 0;
	return LOG_BUFFER_SIZE - output->end >= length;
}

static void append(struct log_sink *sink, enum log_level level, const char *fields, size_t length)
{
	struct log_output *output = sink->output;

	output->end += log_sink_frame(sink, level, fields, length, output->buffer + output->end);
}

/* First into an empty buffer: what was dropped before. */
static void tell_dropped(struct log_output *output)
{
	struct log_record record;

	log_begin(&record, output->told_by, LEVEL_WARNING, "log-dropped");
	log_int(&record, "count", (int64_t)output->untold);
	append(output->told_by, LEVEL_WARNING, record.text, record.used);
	output->told = output->untold;
	output->told_end = output->end;
	output->untold = 0;
}

static void output_flush(struct log_output *output)
{
	if (output->end == 0 && output->untold > 0)
		tell_dropped(output);
	if (write_waiting(output) && output->untold > 0) {
		tell_dropped(output);
		write_waiting(output);
	}
}

void log_sink_put(struct log_sink *sink, enum log_level level, const char *fields, size_t length)
{
	struct log_output *output = sink->output;
	size_t need = length + LOG_FRAME_SIZE;

	output->told_by = sink;
	if (output->untold == 0 && !has_room(output, need))
		write_waiting(output);
	if (output->untold > 0 && output->end == 0)
		tell_dropped(output);
	if (output->untold > 0 || !has_room(output, need))
		count_dropped(output, 1);
	else
		append(sink, level, fields, length);
}

/* --- the outside --- */

static void unlink_output(struct log_output *output)
{
	struct log_output **at = &state.outputs;

	while (*at != output)
		at = &(*at)->next;
	*at = output->next;
}

static void unlink_sink(struct log_sink *sink)
{
	struct log_sink **at = &state.sinks;

	while (*at != sink)
		at = &(*at)->next;
	*at = sink->next;
}

static struct log_sink *any_sink(const struct log_output *output)
{
	struct log_sink *sink = state.sinks;

	while (sink->output != output)
		sink = sink->next;
	return sink;
}

void log_sink_close(struct log_sink *sink)
{
	struct log_output *output;

	if (sink == NULL)
		return;
	output = sink->output;
	output_flush(output);
	if (--sink->shares > 0)
		return;
	unlink_sink(sink);
	if (--output->shares > 0) {
		if (output->told_by == sink)
			output->told_by = any_sink(output);
	} else {
		drop_waiting(output, false);
		unlink_output(output);
		output_free(output);
	}
	free(sink);
}

void log_flush(void)
{
	for (struct log_output *output = state.outputs; output != NULL; output = output->next)
		output_flush(output);
}

bool log_pending(void)
{
	const struct log_output *output = state.outputs;

	while (output != NULL && output->end == 0 && output->untold == 0)
		output = output->next;
	return output != NULL;
}

static int output_reopen(struct log_output *output, struct error *error)
{
	int old = output->fd;

	output_flush(output);
	if (output->ops->open(output, error) == -1)
		return -1;
	if (output->is_cut) { /* its begin stands in the old file */
		const char *rest = output->buffer + output->start;

		take(output,
			(size_t)((const char *)memchr(rest, '\n', output->end - output->start) -
				 rest) +
				1);
		count_dropped(output, 1);
	}
	close(old);
	return 0;
}

int log_reopen(struct error *error)
{
	int result = 0;

	for (struct log_output *output = state.outputs; output != NULL; output = output->next)
		if (output->to == LOG_TO_FILE && output_reopen(output, error) == -1)
			result = -1;
	return result;
}

uint64_t log_dropped(void)
{
	return state.dropped;
}
