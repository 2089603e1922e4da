/*
 * clock: time in nanoseconds.  Intervals use the monotonic clock, log lines the wall clock.
 */
#ifndef SUPERD_CLOCK_H
#define SUPERD_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_NS_PER_MS INT64_C(1000000)
#define CLOCK_NS_PER_S INT64_C(1000000000)

/* Now on the monotonic clock, ns since an arbitrary start (clock_gettime(2)). */
int64_t clock_now_ns(void);

/* Now on the wall clock, ns since 1970-01-01 UTC; for people only, never for intervals. */
int64_t clock_wall_ns(void);

/* Longest text of clock_format(), with its NUL. */
#define CLOCK_TEXT_SIZE 25

/* Writes wall_ns as RFC 3339 in UTC with milliseconds ("2026-11-20T15:16:00.123Z") to text. */
void clock_format(int64_t wall_ns, char text[CLOCK_TEXT_SIZE]);

#endif
