/*
 * superctl_text: durations, sizes, rates.
 */
#include "config.h"
#include "superd/superctl_text.h"

#include <stddef.h>
#include <stdio.h>

char *text_duration(double seconds, char text[TEXT_SIZE])
{
	if (seconds >= 10)
		return text_seconds(seconds, text);
	snprintf(text, TEXT_SIZE, "%.1fs", seconds < 0 ? 0 : seconds);
	return text;
}

char *text_seconds(double seconds, char text[TEXT_SIZE])
{
	unsigned long long whole = seconds < 0 ? 0 : (unsigned long long)seconds;

	if (whole < 60)
		snprintf(text, TEXT_SIZE, "%llus", whole);
	else if (whole < 3600)
		snprintf(text, TEXT_SIZE, "%llum%02llus", whole / 60, whole % 60);
	else if (whole < 86400)
		snprintf(text, TEXT_SIZE, "%lluh%02llum", whole / 3600, whole / 60 % 60);
	else
		snprintf(text, TEXT_SIZE, "%llud%02lluh", whole / 86400, whole / 3600 % 24);
	return text;
}

char *text_size(double bytes, char text[TEXT_SIZE])
{
	static const char units[] = "BKMGTPE";
	size_t unit = 0;

	while (bytes >= 1023.5 && unit + 2 < sizeof(units)) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, TEXT_SIZE, unit > 0 && bytes < 9.95 ? "%.1f%c" : "%.0f%c", bytes,
		units[unit]);
	return text;
}

char *text_rate(double rate, char text[TEXT_SIZE])
{
	snprintf(text, TEXT_SIZE, rate > 0 && rate < 9.95 ? "%.1f" : "%.0f", rate);
	return text;
}
