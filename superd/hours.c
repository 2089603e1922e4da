/*
 * hours: windows of a week, parsed strictly, and when the answer changes.
 */
#include "config.h"
#include "superd/hours.h"

#include <string.h>
#include <strings.h>

#define DAYS 7
#define EVERY_DAY 0x7f
#define MINUTE_S 60
#define HORIZON_S (15 * 24 * 3600) /* a week that a change of the clock spoils, and another */

/* --- parsing -------------------------------------------------------------------------------- */

/* 0 (Sunday) to 6; -1 where the length bytes of text name no day. */
static int day_parse(const char *text, size_t length)
{
	static const char names[DAYS][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

	for (int day = 0; day < DAYS; day++) {
		if (length == 3 && strncasecmp(text, names[day], 3) == 0)
			return day;
	}
	return -1;
}

/* "Mon" or "Mon-Fri", which may go over the end of the week; 0 where it is neither. */
static uint8_t days_span(const char *text, size_t length)
{
	const char *dash = memchr(text, '-', length);
	size_t first_length = dash == NULL ? length : (size_t)(dash - text);
	int first = day_parse(text, first_length);
	int last = dash == NULL ? first : day_parse(dash + 1, length - first_length - 1);
	uint8_t days;

	if (first < 0 || last < 0)
		return 0;
	days = (uint8_t)(1U << first);
	while (first != last) {
		first = (first + 1) % DAYS;
		days |= (uint8_t)(1U << first);
	}
	return days;
}

/* Spans with commas between; 0 where one of them is wrong. */
static uint8_t days_parse(const char *text, size_t length)
{
	uint8_t days = 0;

	for (;;) {
		const char *comma = memchr(text, ',', length);
		size_t span = comma == NULL ? length : (size_t)(comma - text);
		uint8_t found = days_span(text, span);

		if (found == 0)
			return 0;
		days |= found;
		if (comma == NULL)
			return days;
		text += span + 1;
		length -= span + 1;
	}
}

/* Two decimal digits; -1 where they are not. */
static int digits_parse(const char *text)
{
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return -1;
	return (text[0] - '0') * 10 + (text[1] - '0');
}

/* "HH:MM" as minutes, 0 to 1440; -1 where text is no time. */
static int minutes_parse(const char *text)
{
	int hour = digits_parse(text);
	int minute = hour < 0 || text[2] != ':' ? -1 : digits_parse(text + 3);

	if (minute < 0 || minute > 59 || hour > 24 || (hour == 24 && minute > 0))
		return -1;
	return hour * 60 + minute;
}

/* "HH:MM-HH:MM" of length bytes. */
static int times_parse(
	const char *text, size_t length, struct hours_window *window, struct error *error)
{
	int from = length == 11 ? minutes_parse(text) : -1;
	int to = from < 0 || text[5] != '-' ? -1 : minutes_parse(text + 6);

	if (to < 0 || from == HOURS_DAY_MINUTES)
		return error_set(error, 0, "'%.*s' is no time (HH:MM-HH:MM)",
			length < 32 ? (int)length : 32, text);
	if (from == to)
		return error_set(error, 0,
			"'%.*s' begins and ends at once (all day is 00:00-24:00)", (int)length,
			text);
	window->from = (uint16_t)from;
	window->length = (uint16_t)(to > from ? to - from : to - from + HOURS_DAY_MINUTES);
	return 0;
}

static size_t blank_length(const char *text)
{
	return strspn(text, " \t");
}

static int window_append(
	struct hours *hours, const struct hours_window *window, struct error *error)
{
	if (hours->count == HOURS_WINDOWS_MAX)
		return error_set(error, 0, "more than %d windows", HOURS_WINDOWS_MAX);
	hours->windows[hours->count++] = *window;
	return 0;
}

int hours_add(struct hours *hours, const char *text, struct error *error)
{
	struct hours_window window = {.days = EVERY_DAY, .length = HOURS_DAY_MINUTES};
	struct hours made = *hours;
	size_t length;

	text += blank_length(text);
	length = strcspn(text, " \t");
	if (length == 0)
		return error_set(error, 0, "no days and no times");
	if (text[0] < '0' || text[0] > '9') {
		window.days = days_parse(text, length);
		if (window.days == 0)
			return error_set(error, 0, "'%.*s' is no list of days (Mon-Fri, Sat,Sun)",
				length < 32 ? (int)length : 32, text);
		text += length + blank_length(text + length);
		if (*text == '\0' && window_append(&made, &window, error) != 0)
			return -1;
	}
	while ((length = strcspn(text, " \t")) > 0) {
		if (times_parse(text, length, &window, error) != 0 ||
			window_append(&made, &window, error) != 0)
			return -1;
		text += length + blank_length(text + length);
	}
	*hours = made;
	return 0;
}

/* --- asking --------------------------------------------------------------------------------- */

static bool window_open(const struct hours_window *window, int day, int minute)
{
	int yesterday = (day + DAYS - 1) % DAYS;
	int end = window->from + window->length;

	if ((window->days >> day & 1) != 0 && minute >= window->from && minute < end)
		return true;
	return (window->days >> yesterday & 1) != 0 && minute + HOURS_DAY_MINUTES < end;
}

bool hours_open(const struct hours *hours, const struct tm *local)
{
	for (unsigned i = 0; i < hours->count; i++) {
		if (window_open(&hours->windows[i], local->tm_wday,
			    local->tm_hour * 60 + local->tm_min))
			return true;
	}
	return hours->count == 0;
}

/* Local time; where it cannot be had, UTC of the epoch: any fixed answer will do. */
static void local_at(time_t now, struct tm *local)
{
	memset(local, 0, sizeof(*local));
	localtime_r(&now, local);
}

bool hours_open_at(const struct hours *hours, time_t now)
{
	struct tm local;

	local_at(now, &local);
	return hours_open(hours, &local);
}

/* Seconds from local until the clock shows the next minute at which a window begins or ends. */
static int next_edge_s(const struct hours *hours, const struct tm *local)
{
	int minute = local->tm_hour * 60 + local->tm_min;
	int least = HOURS_DAY_MINUTES;

	for (unsigned i = 0; i < hours->count; i++) {
		int from = hours->windows[i].from;
		int edges[] = {from, from + hours->windows[i].length};

		for (int edge = 0; edge < 2; edge++) {
			int ahead =
				(edges[edge] - minute + 2 * HOURS_DAY_MINUTES) % HOURS_DAY_MINUTES;

			if (ahead > 0 && ahead < least)
				least = ahead;
		}
	}
	return least * MINUTE_S - (local->tm_sec < MINUTE_S ? local->tm_sec : MINUTE_S - 1);
}

/* The first second in (before, after] at which the zone is no longer that of before. */
static time_t zone_change(time_t before, time_t after)
{
	struct tm first;
	struct tm local;

	local_at(before, &first);
	while (after - before > 1) {
		time_t middle = before + (after - before) / 2;

		local_at(middle, &local);
		if (local.tm_gmtoff == first.tm_gmtoff)
			before = middle;
		else
			after = middle;
	}
	return after;
}

time_t hours_next_change(const struct hours *hours, time_t now)
{
	bool is_open = hours_open_at(hours, now);
	time_t at = now;

	if (hours->count == 0)
		return -1;
	while (at - now < HORIZON_S) {
		struct tm before;
		struct tm after;
		time_t next;

		local_at(at, &before);
		next = at + next_edge_s(hours, &before);
		local_at(next, &after);
		if (after.tm_gmtoff != before.tm_gmtoff) /* the clock was set on the way */
			next = zone_change(at, next);
		if (hours_open_at(hours, next) != is_open)
			return next;
		at = next;
	}
	return -1;
}
