/*
 * format: digits and copies.
 */
#include "config.h"
#include "superd/format.h"

#include <string.h>

static char *format_digits(char *at, uint64_t value, unsigned base)
{
	char digits[FORMAT_NUMBER_SIZE];
	char *first = digits + sizeof(digits);
	size_t length;

	do {
		*--first = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	length = (size_t)(digits + sizeof(digits) - first);
	memcpy(at, first, length);
	return at + length;
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
