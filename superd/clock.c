/*
 * clock: the two clocks, and a calendar of its own, since gmtime(3) costs more than all the rest
 * of a log line's front.
 */
#include "config.h"
#include "superd/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * CLOCK_NS_PER_S + now.tv_nsec;
}

int64_t clock_now_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

static int64_t divide_down(int64_t value, int64_t by)
{
	return value / by - (value % by < 0);
}

static char *put_digits(char *at, unsigned value, int digits, char after)
{
	for (int i = digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + value % 10);
		value /= 10;
	}
	at[digits] = after;
	return at + digits + 1;
}

/*
 * Writes "2026-11-20T" for the day'th day since 1970-01-01.  Years are counted from March, so
 * that the leap day ends a year, in cycles of 400 years, which have 146,097 days each; a
 * signed 64-bit count of ns spans 1677 to 2262, so that four digits always do.
 */
static char *put_date(char *at, int64_t day)
{
	int64_t since = day + 719468; /* since 0000-03-01 */
	int64_t cycle = divide_down(since, 146097);
	unsigned of_cycle = (unsigned)(since - cycle * 146097);
	unsigned year_of_cycle =
		(of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
	unsigned of_year =
		of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
	unsigned from_march = (5 * of_year + 2) / 153;
	unsigned month = from_march < 10 ? from_march + 3 : from_march - 9;
	unsigned year = (unsigned)(cycle * 400) + year_of_cycle + (month <= 2);

	at = put_digits(at, year, 4, '-');
	at = put_digits(at, month, 2, '-');
	return put_digits(at, of_year - (153 * from_march + 2) / 5 + 1, 2, 'T');
}

void clock_format(int64_t wall_ns, char text[CLOCK_TEXT_SIZE])
{
	int64_t ms = divide_down(wall_ns, CLOCK_NS_PER_MS);
	int64_t day = divide_down(ms, 86400000);
	unsigned of_day = (unsigned)(ms - day * 86400000);
	char *at = put_date(text, day);

	at = put_digits(at, of_day / 3600000, 2, ':');
	at = put_digits(at, of_day / 60000 % 60, 2, ':');
	at = put_digits(at, of_day / 1000 % 60, 2, '.');
	at = put_digits(at, of_day % 1000, 3, 'Z');
	*at = '\0';
}
