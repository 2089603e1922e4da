/*
 * conf_report: notes, sorts and tells.
 */
#include "config.h"
#include "superd/conf_report.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest message without its position. */
#define CONF_MESSAGE_SIZE 1024

struct conf_message {
	enum conf_severity severity;
	const struct conf_file *file;
	unsigned line;
	size_t sequence; /* what was noted first stays first on a line */
	const char *text;
};

/* A copy of text where what is not printable stands as \xHH; UTF-8 passes. */
static const char *conf_report_clean(struct conf_pool *pool, const char *text)
{
	char *clean = conf_pool_alloc(pool, 4 * strlen(text) + 1);
	size_t used = 0;

	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte == 0x7f)
			used += (size_t)sprintf(clean + used, "\\x%02x", byte);
		else
			clean[used++] = (char)byte;
	}
	return clean;
}

/* Whether the same was said already; a few dozen messages are looked through. */
static bool conf_report_has(const struct conf_report *report, const struct conf_message *message)
{
	size_t i;

	for (i = 0; i < report->message_count; i++) {
		const struct conf_message *other = &report->messages[i];

		if (other->file == message->file && other->line == message->line &&
			strcmp(other->text, message->text) == 0)
			return true;
	}
	return false;
}

const struct conf_file *conf_file_origin(const struct conf_file *file, unsigned *line)
{
	size_t i = file != NULL && *line > 0 ? file->part_count : 0;

	while (i > 0 && file->parts[i - 1].first > *line)
		i--;
	if (i == 0)
		return file;
	*line -= file->parts[i - 1].first - 1;
	return &file->parts[i - 1].file;
}

void conf_report_add(struct conf_report *report, enum conf_severity severity,
	const struct conf_file *file, unsigned line, const char *format, ...)
{
	size_t *count = severity == CONF_PROBLEM ? &report->problem_count : &report->warning_count;
	struct conf_message message = {.severity = severity, .line = line};
	char text[CONF_MESSAGE_SIZE];
	va_list args;

	if (++*count > CONF_REPORT_MAX)
		return;
	message.file = conf_file_origin(file, &message.line);
	if (message.file != NULL && message.line == 0)
		message.line = 1;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	message.text = conf_report_clean(report->pool, text);
	message.sequence = report->message_count;
	if (conf_report_has(report, &message)) {
		--*count;
		return;
	}
	report->messages = conf_pool_grow(report->pool, report->messages, report->message_count,
		&report->capacity, sizeof(message));
	report->messages[report->message_count++] = message;
}

static int conf_message_compare(const void *one_pointer, const void *other_pointer)
{
	const struct conf_message *one = one_pointer, *other = other_pointer;
	unsigned one_order = one->file == NULL ? UINT32_MAX : one->file->order;
	unsigned other_order = other->file == NULL ? UINT32_MAX : other->file->order;

	if (one_order != other_order)
		return one_order < other_order ? -1 : 1;
	if (one->line != other->line)
		return one->line < other->line ? -1 : 1;
	return one->sequence < other->sequence ? -1 : 1;
}

static const char *conf_message_line(struct conf_pool *pool, const struct conf_message *message)
{
	const char *name;

	if (message->file == NULL)
		return message->text;
	name = conf_report_clean(pool, message->file->name);
	return conf_pool_format(pool, "%s:%u: %s", name, message->line, message->text);
}

void conf_report_send(struct conf_report *report,
	void (*message_cb)(void *owner, enum conf_severity severity, const char *text), void *owner)
{
	size_t i;

	if (report->message_count > 0)
		qsort(report->messages, report->message_count, sizeof(*report->messages),
			conf_message_compare);
	for (i = 0; i < report->message_count; i++)
		message_cb(owner, report->messages[i].severity,
			conf_message_line(report->pool, &report->messages[i]));
	if (report->problem_count > CONF_REPORT_MAX)
		message_cb(owner, CONF_PROBLEM,
			conf_pool_format(report->pool, "%zu more problems are not shown",
				report->problem_count - CONF_REPORT_MAX));
	if (report->warning_count > CONF_REPORT_MAX)
		message_cb(owner, CONF_WARNING,
			conf_pool_format(report->pool, "%zu more warnings are not shown",
				report->warning_count - CONF_REPORT_MAX));
}
