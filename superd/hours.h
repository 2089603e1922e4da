/*
 * hours: the times of the week at which a service accepts, in local time.
 *
 * A window belongs to the day on which it begins: "Fri 22:00-06:00" ends on Saturday morning.
 * Only what the wall clock shows counts, so where the clock is put forward a window may be
 * shorter or missing, and where it is put back, longer or there twice.
 */
#ifndef SUPERD_HOURS_H
#define SUPERD_HOURS_H

#include "superd/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* More windows than anybody writes; what does not fit is an error. */
#define HOURS_WINDOWS_MAX 32

#define HOURS_DAY_MINUTES 1440

struct hours_window {
	uint8_t days;    /* bit 0: begins on Sundays, ... bit 6: on Saturdays */
	uint16_t from;   /* minute of that day, 0..1439 */
	uint16_t length; /* minutes, 1..1440 */
};

/* No pointers: may be copied, shared and mapped read-only.  All zero: always open. */
struct hours {
	unsigned count;
	struct hours_window windows[HOURS_WINDOWS_MAX];
};

/*
 * Adds what text says to *hours: days, times, or days and times, with blanks between:
 * "Mon-Fri 08:00-18:00", "22:00-06:00", "Mon,Wed,Fri-Sun", "Sat 09:00-12:00 14:00-18:00".
 * Days are the first three letters of English, in any case; no days: every day; no times: all day.
 * Times are HH:MM, the end up to 24:00; an end before its beginning is on the next day.
 * Returns 0, or -1 with *error, *hours unchanged.
 */
int hours_add(struct hours *hours, const char *text, struct error *error);

/* Whether local (tm_wday, tm_hour and tm_min count) lies in a window, or there is none. */
bool hours_open(const struct hours *hours, const struct tm *local);

/* The same at a time on the wall clock, in the zone of localtime_r(3). */
bool hours_open_at(const struct hours *hours, time_t now);

/*
 * The first second after now at which hours_open_at() answers otherwise, through changes between
 * summer and winter time; -1 where it does not within a fortnight.  The clock may be set:
 * a caller that waits should ask again now and then.
 */
time_t hours_next_change(const struct hours *hours, time_t now);

#endif
