/*
 * format: digits and copies.
 */
#include "config.h"
#include "superd/format.h"

#include <string.h>

/* base is a constant where it is called: the divisions become multiplications. */
static inline char *format_digits(char *at, uint64_t value, unsigned base)
{
	char *end = at + 1;

	for (uint64_t rest = value; rest >= base; rest /= base)
		end++;
	for (char *digit = end; digit > at; value /= base)
		*--digit = "0123456789abcdef"[value % base];
	return end;
}

char *format_string(char *at, const char *string)
{
	size_t length = strlen(string);

	memcpy(at, string, length);
	return at + length;
}

char *format_uint(char *at, uint64_t value)
{
	return format_digits(at, value, 10);
}

char *format_int(char *at, int64_t value)
{
	if (value >= 0)
		return format_digits(at, (uint64_t)value, 10);
	*at++ = '-';
	return format_digits(at, -(uint64_t)value, 10);
}

char *format_hex(char *at, uint64_t value)
{
	return format_digits(at, value, 16);
}
