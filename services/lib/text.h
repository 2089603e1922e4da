/*
 * text: builds short texts in a buffer without stdio, whose start-up and size would be a large
 * part of what a service costs.  A text that does not fit is cut; it is always terminated.
 */
#ifndef SERVICES_LIB_TEXT_H
#define SERVICES_LIB_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char *data;  /* the caller's; NUL-terminated after every call */
	size_t size; /* of data, at least 1 */
	size_t used; /* without the NUL */
};

/* Digits of the longest number, its sign and a NUL. */
#define TEXT_NUMBER_SIZE 21

/* Starts an empty text in buffer, which stays the caller's and must outlive it. */
void text_begin(struct text *text, char *buffer, size_t size);

/* Appends a string. */
void text_add(struct text *text, const char *string);

/* Appends one character. */
void text_add_char(struct text *text, char character);

/* Appends a number in decimal. */
void text_add_int(struct text *text, int64_t number);
void text_add_unsigned(struct text *text, uint64_t number);

/* Appends a number in decimal, filled from the left to width with pad (' ' or '0'). */
void text_add_padded(struct text *text, unsigned number, unsigned width, char pad);

/* Appends a number in lower-case hexadecimal without "0x". */
void text_add_hex(struct text *text, unsigned number);

/* Appends bytes; what is not printable ASCII becomes \xHH, and '\' becomes "\\". */
void text_add_escaped(struct text *text, const void *bytes, size_t length);

/*
 * Reads a whole string as an unsigned decimal number of min..max (digits only).
 * Returns 0, or -1 where it is none or out of range.
 */
int text_parse_unsigned(const char *string, uint64_t min, uint64_t max, uint64_t *number);

#endif
