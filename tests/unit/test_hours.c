/*
 * test_hours: windows from text, whether one is open, and when that changes, by table and
 * against a walk minute by minute through weeks in which the clock is set.
 */
#include "config.h"
#include "superd/hours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

#define CENTRAL_EUROPE "CET-1CEST,M3.5.0,M10.5.0/3"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0" /* half an hour */
#define WEEK_MINUTES (7 * HOURS_DAY_MINUTES)

static void zone_set(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

/* "2026-03-29 01:59" in the zone that is set. */
static time_t time_of(const char *text)
{
	struct tm local = {.tm_isdst = -1};

	assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &local));
	return mktime(&local);
}

static const struct {
	const char *text;
	const char *open;   /* days and times with blanks between */
	const char *closed; /* likewise */
} windows[] = {
	{"Mon-Fri 08:00-18:00", "Mon08:00 Wed12:30 Fri17:59",
		"Mon07:59 Fri18:00 Sat12:00 Sun12:00"},
	{"22:00-06:00", "Mon22:00 Mon23:59 Tue00:00 Tue05:59 Sun05:00", "Mon21:59 Tue06:00"},
	{"Fri 22:00-06:00", "Fri22:00 Sat00:00 Sat05:59", "Fri05:00 Fri00:00 Sat06:00 Sat22:00"},
	{"Sat 22:00-06:00", "Sat22:00 Sun05:59", "Sun06:00 Sun22:00 Sat05:00"},
	{"Mon,Wed", "Mon00:00 Mon23:59 Wed12:00", "Sun23:59 Tue00:00 Tue23:59 Thu00:00"},
	{"mon,WED", "Mon00:00 Wed12:00", "Tue00:00"},
	{"Fri-Mon", "Fri00:00 Sat12:00 Sun12:00 Mon23:59", "Thu23:59 Tue00:00 Wed12:00"},
	{"Mon-Mon 00:00-24:00", "Mon00:00 Mon23:59", "Sun23:59 Tue00:00"},
	{"Mon-Sun", "Sun00:00 Mon00:00 Sat23:59", ""},
	{"Mon,Wed-Thu,Sat 12:00-12:01", "Mon12:00 Wed12:00 Thu12:00 Sat12:00",
		"Mon12:01 Tue12:00 Fri12:00 Sun12:00"},
	{"Sat 09:00-12:00 14:00-18:00", "Sat09:00 Sat11:59 Sat14:00 Sat17:59",
		"Sat08:59 Sat12:00 Sat13:59 Sat18:00 Sun10:00"},
	{"  08:00-09:00\t10:00-11:00 ", "Thu08:00 Thu10:59", "Thu09:00 Thu11:00"},
	{"00:00-24:00", "Sun00:00 Sat23:59", ""},
	{"18:00-24:00", "Sat18:00 Sat23:59", "Sun00:00 Sat17:59"},
	{"18:00-00:00", "Sat18:00 Sat23:59", "Sun00:00 Sat17:59"},
	{"Sun 00:00-00:01", "Sun00:00", "Sun00:01 Sat23:59 Mon00:00"},
};

/* Checks every moment of text ("Mon08:00 ..."). */
static void check_moments(const struct hours *hours, const char *text, bool is_open)
{
	while (*text != '\0') {
		struct tm local = {0};
		char moment[9];

		snprintf(moment, sizeof(moment), "%.8s", text);
		assert_non_null(strptime(moment, "%a%H:%M", &local));
		if (hours_open(hours, &local) != is_open)
			fail_msg("%s should be %s", moment, is_open ? "open" : "closed");
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
}

static void test_windows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		struct hours hours = {0};

		assert_int_equal(hours_add(&hours, windows[i].text, NULL), 0);
		check_moments(&hours, windows[i].open, true);
		check_moments(&hours, windows[i].closed, false);
	}
}

static void test_several(void **state)
{
	struct hours hours = {0};
	struct error error;

	(void)state;
	check_moments(&hours, "Sun00:00 Wed12:00", true); /* none: always */
	assert_int_equal(hours_next_change(&hours, 0), -1);
	assert_int_equal(hours_add(&hours, "Mon-Fri 08:00-18:00", NULL), 0);
	assert_int_equal(hours_add(&hours, "Sat 10:00-12:00", NULL), 0);
	check_moments(&hours, "Mon08:00 Sat10:00", true);
	check_moments(&hours, "Sat08:00 Sun10:00", false);
	while (hours.count < HOURS_WINDOWS_MAX - 1)
		assert_int_equal(hours_add(&hours, "00:00-00:01", NULL), 0);
	assert_int_equal(hours_add(&hours, "00:00-00:01 00:01-00:02", &error), -1);
	assert_string_equal(error.text, "more than 32 windows");
	assert_int_equal(hours.count, HOURS_WINDOWS_MAX - 1); /* unchanged */
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} cases[] = {
		{"", "no days and no times"},
		{" \t", "no days and no times"},
		{"Monday", "'Monday' is no list of days (Mon-Fri, Sat,Sun)"},
		{"Mo", "'Mo' is no list of days (Mon-Fri, Sat,Sun)"},
		{"Mon,", "'Mon,' is no list of days (Mon-Fri, Sat,Sun)"},
		{",Mon", "',Mon' is no list of days (Mon-Fri, Sat,Sun)"},
		{"Mon-", "'Mon-' is no list of days (Mon-Fri, Sat,Sun)"},
		{"Mon-Tue-Wed", "'Mon-Tue-Wed' is no list of days (Mon-Fri, Sat,Sun)"},
		{"-08:00", "'-08:00' is no list of days (Mon-Fri, Sat,Sun)"},
		{"Mon Tue", "'Tue' is no time (HH:MM-HH:MM)"},
		{"08:00", "'08:00' is no time (HH:MM-HH:MM)"},
		{"8:00-18:00", "'8:00-18:00' is no time (HH:MM-HH:MM)"},
		{"08:00-18:0", "'08:00-18:0' is no time (HH:MM-HH:MM)"},
		{"08:00-18:000", "'08:00-18:000' is no time (HH:MM-HH:MM)"},
		{"08:00+18:00", "'08:00+18:00' is no time (HH:MM-HH:MM)"},
		{"08.00-18:00", "'08.00-18:00' is no time (HH:MM-HH:MM)"},
		{"08:60-18:00", "'08:60-18:00' is no time (HH:MM-HH:MM)"},
		{"08:00-25:00", "'08:00-25:00' is no time (HH:MM-HH:MM)"},
		{"08:00-24:01", "'08:00-24:01' is no time (HH:MM-HH:MM)"},
		{"24:00-06:00", "'24:00-06:00' is no time (HH:MM-HH:MM)"},
		{"08:00-18:00,", "'08:00-18:00,' is no time (HH:MM-HH:MM)"},
		{"08:00 - 18:00", "'08:00' is no time (HH:MM-HH:MM)"},
		{"08:00-08:00", "'08:00-08:00' begins and ends at once (all day is 00:00-24:00)"},
		{"08:00-18:00 Mon", "'Mon' is no time (HH:MM-HH:MM)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hours hours = {0};
		struct error error = {.text = ""};

		if (hours_add(&hours, cases[i].text, &error) == 0)
			fail_msg("'%s' was taken", cases[i].text);
		assert_string_equal(error.text, cases[i].expected);
		assert_int_equal(hours.count, 0);
	}
}

static void test_next_change(void **state)
{
	static const struct {
		const char *zone;
		const char *text;
		const char *now;
		const char *expected; /* NULL: none */
	} cases[] = {
		{"UTC0", "Mon-Fri 08:00-18:00", "2026-11-20 09:00", "2026-11-20 18:00"},
		{"UTC0", "Mon-Fri 08:00-18:00", "2026-11-20 18:00", "2026-11-23 08:00"},
		{"UTC0", "Mon-Fri 08:00-18:00", "2026-11-20 07:59", "2026-11-20 08:00"},
		{"UTC0", "22:00-06:00", "2026-12-31 23:00", "2027-01-01 06:00"},
		{"UTC0", "Sat,Sun", "2026-11-21 00:00", "2026-11-23 00:00"},
		{"UTC0", "00:00-12:00 12:00-24:00", "2026-11-21 00:00", NULL},
		{"UTC0", "Mon-Sun", "2026-11-21 00:00", NULL},
		{"UTC0", "Wed 00:00-00:01", "2026-11-18 00:01", "2026-11-25 00:00"},
		/* 02:00 to 03:00 is left out on 29 March, and there twice on 25 October */
		{CENTRAL_EUROPE, "01:00-04:00", "2026-03-29 01:30", "2026-03-29 04:00"},
		{CENTRAL_EUROPE, "02:15-02:45", "2026-03-28 12:00", "2026-03-30 02:15"},
		{CENTRAL_EUROPE, "02:30-04:00", "2026-03-29 01:30", "2026-03-29 03:00"},
		{CENTRAL_EUROPE, "01:00-02:30", "2026-03-29 01:30", "2026-03-29 03:00"},
		{CENTRAL_EUROPE, "Sun 02:15-02:45", "2026-03-22 02:45", "2026-04-05 02:15"},
		{CENTRAL_EUROPE, "03:00-04:00", "2026-10-25 01:00", "2026-10-25 03:00"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hours hours = {0};
		time_t expected;
		time_t found;

		zone_set(cases[i].zone);
		expected = cases[i].expected == NULL ? -1 : time_of(cases[i].expected);
		assert_int_equal(hours_add(&hours, cases[i].text, NULL), 0);
		found = hours_next_change(&hours, time_of(cases[i].now));
		if (found != expected)
			fail_msg("'%s' at %s: %+lld s from what was expected", cases[i].text,
				cases[i].now, (long long)found - (long long)expected);
	}
}

/* An hour that is there twice opens twice. */
static void test_put_back(void **state)
{
	struct hours hours = {0};
	time_t first;

	(void)state;
	zone_set(CENTRAL_EUROPE);
	first = time_of("2026-10-25 01:45") + 30 * 60; /* 02:15 in summer time */
	assert_int_equal(hours_add(&hours, "02:15-02:45", NULL), 0);
	assert_int_equal(hours_next_change(&hours, first - 1), first);
	assert_int_equal(hours_next_change(&hours, first), first + 30 * 60);
	assert_int_equal(hours_next_change(&hours, first + 30 * 60), first + 60 * 60);
	assert_int_equal(hours_next_change(&hours, first + 60 * 60), first + 90 * 60);
}

/* --- against slower ways -------------------------------------------------------------------- */

static void hours_random(struct hours *hours)
{
	memset(hours, 0, sizeof(*hours));
	hours->count = (unsigned)random() % 4 + 1;
	for (unsigned i = 0; i < hours->count; i++) {
		hours->windows[i].days = (uint8_t)(random() % 0x7f + 1);
		hours->windows[i].from = (uint16_t)(random() % (random() % 2 == 0 ? 240 : 1440));
		hours->windows[i].length = (uint16_t)(random() % HOURS_DAY_MINUTES + 1);
	}
}

/* Marks the minutes of the week that are open. */
static void week_fill(const struct hours *hours, bool week[WEEK_MINUTES])
{
	memset(week, 0, WEEK_MINUTES * sizeof(week[0]));
	for (unsigned i = 0; i < hours->count; i++) {
		for (int day = 0; day < 7; day++) {
			int from = day * HOURS_DAY_MINUTES + hours->windows[i].from;

			if ((hours->windows[i].days & 1 << day) == 0)
				continue;
			for (int minute = 0; minute < hours->windows[i].length; minute++)
				week[(from + minute) % WEEK_MINUTES] = true;
		}
	}
}

static bool week_open(const bool week[WEEK_MINUTES], time_t now)
{
	struct tm local;

	localtime_r(&now, &local);
	return week[local.tm_wday * HOURS_DAY_MINUTES + local.tm_hour * 60 + local.tm_min];
}

/* The zones here change at whole minutes. */
static time_t week_next_change(const bool week[WEEK_MINUTES], time_t now)
{
	bool is_open = week_open(week, now);

	for (time_t at = now - now % 60 + 60; at < now + 14 * 86400; at += 60) {
		if (week_open(week, at) != is_open)
			return at;
	}
	return -1;
}

static void test_random_against_minutes(void **state)
{
	static const struct {
		const char *zone;
		const char *begin; /* the week in which the clock is set */
	} zones[] = {
		{"UTC0", "2026-11-16 00:00"},
		{CENTRAL_EUROPE, "2026-03-25 00:00"},
		{CENTRAL_EUROPE, "2026-10-20 00:00"},
		{LORD_HOWE, "2026-04-01 00:00"},
		{LORD_HOWE, "2026-10-01 00:00"},
		{"<-0330>3:30<-0230>,M3.2.0/0:01,M11.1.0/0:01", "2026-11-01 00:00"},
	};
	unsigned seed = (unsigned)time(NULL);
	static bool week[WEEK_MINUTES];
	struct hours hours;

	(void)state;
	print_message("# seed %u\n", seed);
	srandom(seed);
	for (int i = 0; i < 2000; i++) {
		size_t zone = (size_t)random() % (sizeof(zones) / sizeof(zones[0]));
		time_t now;

		zone_set(zones[zone].zone);
		now = time_of(zones[zone].begin) + random() % (7 * 86400);
		hours_random(&hours);
		week_fill(&hours, week);
		assert_int_equal(hours_open_at(&hours, now), week_open(week, now));
		assert_int_equal(hours_next_change(&hours, now), week_next_change(week, now));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_next_change),
		cmocka_unit_test(test_put_back),
		cmocka_unit_test(test_random_against_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
