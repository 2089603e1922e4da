/*
 * format: strings and numbers appended to a buffer, for the way of a connection, where printf(3)
 * would be most of what superd itself computes.
 *
 * Each function writes at `at`, without a NUL, and returns where the text ends. The caller has
 * made sure of the room.
 */
#ifndef SUPERD_FORMAT_H
#define SUPERD_FORMAT_H

#include <stdint.h>

#define FORMAT_NUMBER_SIZE 20 /* of the longest number: -9223372036854775808 */

char *format_string(char *at, const char *string);

/* Decimal. */
char *format_uint(char *at, uint64_t value);
char *format_int(char *at, int64_t value);

/* Lower-case hexadecimal without leading zeros. */
char *format_hex(char *at, uint64_t value);

#endif
