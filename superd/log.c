/*
 * log: composes records.  A field is written escape by escape, each only where it fits whole, so
 * that a cut record is still a valid line.
 */
#include "config.h"
#include "superd/log.h"

#include "superd/format.h"
#include "superd/log_sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* Longest escape of one character: \u00HH. */
#define ESCAPE_SIZE 6

const char *log_level_name(enum log_level level)
{
	switch (level) {
	case LEVEL_ERROR:
		return "error";
	case LEVEL_WARNING:
		return "warning";
	case LEVEL_NOTICE:
		return "notice";
	case LEVEL_INFO:
		return "info";
	case LEVEL_DEBUG:
		return "debug";
	}
	return "unknown";
}

int log_level_parse(const char *name, enum log_level *level)
{
	for (int i = LEVEL_ERROR; i <= LEVEL_DEBUG; i++) {
		if (strcmp(name, log_level_name((enum log_level)i)) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

static void put(struct log_record *record, const char *bytes, size_t length)
{
	memcpy(record->text + record->used, bytes, length);
	record->used += length;
}

/* Writes the key where it and `more` bytes of value fit; false: the field is left out. */
static bool put_key(struct log_record *record, const char *key, size_t more)
{
	size_t length = strlen(key);

	if (record->used + length + more + sizeof(",\"\":") > sizeof(record->text))
		return false;
	if (record->format == LOG_JSON) {
		put(record, ",", record->used == 0 ? 0 : 1);
		put(record, "\"", 1);
		put(record, key, length);
		put(record, "\":", 2);
	} else {
		put(record, " ", record->used == 0 ? 0 : 1);
		put(record, key, length);
		put(record, "=", 1);
	}
	return true;
}

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\';
}

static bool needs_quotes(const char *value, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_plain(value[i]))
			return true;
	return length == 0;
}

static size_t escape_short(char c, char *out)
{
	static const char from[] = "\"\\\n\t\r";
	static const char to[] = "\"\\ntr";
	const char *at = c == '\0' ? NULL : strchr(from, c);

	if (at == NULL)
		return 0;
	out[0] = '\\';
	out[1] = to[at - from];
	return 2;
}

static size_t escape_hex(unsigned value, const char *prefix, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = strlen(prefix);

	memcpy(out, prefix, length);
	out[length] = digits[value >> 4 & 15];
	out[length + 1] = digits[value & 15];
	return length + 2;
}

static size_t escape_text(const char *value, char *out)
{
	size_t length = escape_short(*value, out);

	if (length > 0)
		return length;
	if (*value < ' ' || *value >= 0x7f)
		return escape_hex((unsigned char)*value, "\\x", out);
	*out = *value;
	return 1;
}

static bool is_tail(const char *value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (((unsigned char)value[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Length of the UTF-8 character (RFC 3629) that value starts with; 0: it is none. */
static size_t utf8_length(const char *value, size_t left)
{
	unsigned first = (unsigned char)value[0];
	unsigned second = left > 1 ? (unsigned char)value[1] : 0;
	size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	if (length == 1)
		return 1;
	if (first < 0xc2 || first > 0xf4 || left < length || !is_tail(value + 1, length - 1))
		return 0;
	if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
		(first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
		return 0; /* too long a form, half of a UTF-16 pair, above U+10FFFF */
	return length;
}

/* *used is how much of value the escape stands for.  DEL and the controls U+0080 to U+009F are
   escaped though JSON would not ask for it: a terminal may obey them. */
static size_t escape_json(const char *value, size_t left, char *out, size_t *used)
{
	size_t length = escape_short(*value, out);

	*used = 1;
	if (length > 0)
		return length;
	length = utf8_length(value, left);
	if (length == 0 || (length == 1 && ((unsigned char)*value < ' ' || *value == 0x7f)))
		return escape_hex((unsigned char)*value, "\\u00", out);
	*used = length;
	if ((unsigned char)value[0] == 0xc2 && (unsigned char)value[1] < 0xa0)
		return escape_hex((unsigned char)value[1], "\\u00", out);
	memcpy(out, value, length);
	return length;
}

static void put_quoted(struct log_record *record, const char *value, size_t length)
{
	char out[ESCAPE_SIZE];
	size_t used = 1;

	put(record, "\"", 1);
	for (size_t i = 0; i < length; i += used) {
		size_t size = record->format == LOG_JSON
				      ? escape_json(value + i, length - i, out, &used)
				      : escape_text(value + i, out);

		if (record->used + size + 1 > sizeof(record->text))
			break;
		put(record, out, size);
	}
	put(record, "\"", 1);
}

void log_begin(
	struct log_record *record, struct log_sink *sink, enum log_level level, const char *event)
{
	record->sink = sink;
	record->level = level;
	record->used = 0;
	if (sink == NULL)
		return;
	record->format = sink->format;
	log_string(record, "event", event);
}

void log_bytes(struct log_record *record, const char *key, const char *value, size_t length)
{
	size_t room;

	if (record->sink == NULL || !put_key(record, key, ESCAPE_SIZE + 2))
		return;
	if (record->format == LOG_JSON || needs_quotes(value, length)) {
		put_quoted(record, value, length);
		return;
	}
	room = sizeof(record->text) - record->used;
	put(record, value, length < room ? length : room);
}

void log_string(struct log_record *record, const char *key, const char *value)
{
	if (record->sink != NULL)
		log_bytes(record, key, value, strlen(value));
}

void log_int(struct log_record *record, const char *key, int64_t value)
{
	if (record->sink == NULL || !put_key(record, key, FORMAT_NUMBER_SIZE))
		return;
	record->used = (size_t)(format_int(record->text + record->used, value) - record->text);
}

void log_hex(struct log_record *record, const char *key, uint64_t value)
{
	char digits[FORMAT_NUMBER_SIZE];

	log_bytes(record, key, digits, (size_t)(format_hex(digits, value) - digits));
}

void log_format(struct log_record *record, const char *key, const char *format, ...)
{
	char value[1024];
	va_list args;
	int length;

	if (record->sink == NULL)
		return;
	va_start(args, format);
	length = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	if (length < 0)
		return;
	log_bytes(record, key, value,
		(size_t)length < sizeof(value) ? (size_t)length : sizeof(value) - 1);
}

static int priority_of(enum log_level level)
{
	switch (level) {
	case LEVEL_ERROR:
		return LOG_ERR;
	case LEVEL_WARNING:
		return LOG_WARNING;
	case LEVEL_NOTICE:
		return LOG_NOTICE;
	case LEVEL_INFO:
		return LOG_INFO;
	case LEVEL_DEBUG:
		return LOG_DEBUG;
	}
	return LOG_INFO;
}

/* RFC 3164: local time, the day padded with a blank ("Nov  2 15:16:00"). */
static void format_syslog_time(int64_t wall_ns, char text[CLOCK_TEXT_SIZE])
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(wall_ns / CLOCK_NS_PER_S);
	struct tm local = {0};

	localtime_r(&seconds, &local);
	snprintf(text, CLOCK_TEXT_SIZE, "%.3s %2d %02d:%02d:%02d", months + 3 * local.tm_mon,
		local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
}

/* The output keeps the text of the last millisecond, or for syslog, of the last second. */
static const char *get_time(struct log_output *output)
{
	int64_t now_ns = clock_wall_ns();
	int64_t unit = output->to == LOG_TO_SYSLOG ? CLOCK_NS_PER_S : CLOCK_NS_PER_MS;

	if (now_ns / unit == output->time_key)
		return output->time_text;
	output->time_key = now_ns / unit;
	if (output->to == LOG_TO_SYSLOG)
		format_syslog_time(now_ns, output->time_text);
	else
		clock_format(now_ns, output->time_text);
	return output->time_text;
}

static char *put_front(struct log_sink *sink, enum log_level level, char *at)
{
	const char *time = get_time(sink->output);

	if (sink->output->to == LOG_TO_SYSLOG)
		return at + sprintf(at, "<%d>%s superd[%d]: %s",
				    sink->facility | priority_of(level), time, (int)getpid(),
				    sink->format == LOG_JSON ? "{" : "");
	if (sink->format == LOG_JSON) {
		at = stpcpy(stpcpy(at, "{\"time\":\""), time);
		at = stpcpy(stpcpy(at, "\",\"level\":\""), log_level_name(level));
		return stpcpy(at, "\",");
	}
	at = stpcpy(stpcpy(at, time), " ");
	return stpcpy(stpcpy(at, log_level_name(level)), " ");
}

size_t log_sink_frame(
	struct log_sink *sink, enum log_level level, const char *fields, size_t length, char *line)
{
	char *at = put_front(sink, level, line);

	memcpy(at, fields, length);
	at += length;
	if (sink->format == LOG_JSON)
		*at++ = '}';
	*at++ = '\n';
	return (size_t)(at - line);
}

void log_end(struct log_record *record)
{
	if (record->sink != NULL)
		log_sink_put(record->sink, record->level, record->text, record->used);
}
