/*
 * daytime: one line with date and time of day (RFC 867).
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/serve.h"
#include "services/lib/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Room for the 24 characters of ctime(3), CR, LF, NUL, and years of more than four digits. */
#define DAYTIME_SIZE 64

/* As TZ wants the path of a zone's file. */
#define ZONE_FOLDER ":/usr/share/zoneinfo/"
#define ZONE_SIZE 128

/* Writes "Thu Nov 20 15:16:00 2026\r\n" to line; returns its length. */
static size_t daytime_format(const struct serve *serve, char line[DAYTIME_SIZE])
{
	static const char days[] = "Sun\0Mon\0Tue\0Wed\0Thu\0Fri\0Sat";
	static const char months[] = "Jan\0Feb\0Mar\0Apr\0May\0Jun\0Jul\0Aug\0Sep\0Oct\0Nov\0Dec";
	const bool *utc = serve->service->state;
	time_t now = time(NULL);
	struct tm tm;
	struct text text;

	if (*utc)
		gmtime_r(&now, &tm);
	else
		localtime_r(&now, &tm);
	text_begin(&text, line, DAYTIME_SIZE);
	text_add(&text, days + 4 * tm.tm_wday);
	text_add_char(&text, ' ');
	text_add(&text, months + 4 * tm.tm_mon);
	text_add_char(&text, ' ');
	text_add_padded(&text, (unsigned)tm.tm_mday, 2, ' ');
	text_add_char(&text, ' ');
	text_add_padded(&text, (unsigned)tm.tm_hour, 2, '0');
	text_add_char(&text, ':');
	text_add_padded(&text, (unsigned)tm.tm_min, 2, '0');
	text_add_char(&text, ':');
	text_add_padded(&text, (unsigned)tm.tm_sec, 2, '0');
	text_add_char(&text, ' ');
	text_add_int(&text, tm.tm_year + INT64_C(1900));
	text_add(&text, "\r\n");
	return text.used;
}

static int daytime_stream(const struct serve *serve)
{
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	char line[DAYTIME_SIZE];
	size_t length = daytime_format(serve, line);

	if (io_write_full(STDOUT_FILENO, line, length, &deadline) != 0)
		return serve_failed("write");
	io_finish(STDIN_FILENO, STDOUT_FILENO);
	return STATUS_DONE;
}

static ssize_t daytime_datagram(const struct serve *serve, char *data, size_t length, size_t size)
{
	(void)length;
	(void)size;
	return (ssize_t)daytime_format(serve, data);
}

static int daytime_option(void *state, const struct options_entry *entry, const char *value)
{
	bool *utc = state;

	(void)entry;
	(void)value;
	*utc = true;
	return 0;
}

/*
 * A TZ like EST5EDT is the name of a zone, but also reads as a rule that does not say when summer
 * time is.  musl takes the rule, and summer time all year: where there is a zone, TZ becomes its
 * file.
 */
static void zone_prefer_file(void)
{
	const char *zone = getenv("TZ");
	char data[ZONE_SIZE];
	struct text path;

	if (zone == NULL || strpbrk(zone, ":/,") != NULL || strpbrk(zone, "0123456789") == NULL)
		return;
	text_begin(&path, data, sizeof(data));
	text_add(&path, ZONE_FOLDER);
	text_add(&path, zone);
	if (access(data + 1, R_OK) == 0)
		setenv("TZ", data, 1);
}

int main(int argc, char **argv)
{
	static const struct options_entry options[] = {
		{'u', "utc", NULL, "universal time instead of local time"},
	};
	bool utc = false;
	const struct service service = {
		.summary = "sends date and time of day as a line of text (RFC 867)",
		.option_count = sizeof(options) / sizeof(options[0]),
		.options = options,
		.option_cb = daytime_option,
		.stream_cb = daytime_stream,
		.datagram_cb = daytime_datagram,
		.state = &utc,
	};

	zone_prefer_file();
	return serve_main(&service, argc, argv);
}
