/*
 * text: builds short texts in a buffer without stdio.
 */
#include "config.h"

#include "services/lib/text.h"

void text_begin(struct text *text, char *buffer, size_t size)
{
	text->data = buffer;
	text->size = size;
	text->used = 0;
	buffer[0] = '\0';
}

void text_add_char(struct text *text, char character)
{
	if (text->used + 1 >= text->size)
		return;
	text->data[text->used++] = character;
	text->data[text->used] = '\0';
}

void text_add(struct text *text, const char *string)
{
	while (*string != '\0')
		text_add_char(text, *string++);
}

static void digits_add(struct text *text, uint64_t number, unsigned base, unsigned width, char pad)
{
	char digits[TEXT_NUMBER_SIZE];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number != 0);
	for (; width > count; width--)
		text_add_char(text, pad);
	while (count > 0)
		text_add_char(text, digits[--count]);
}

void text_add_unsigned(struct text *text, uint64_t number)
{
	digits_add(text, number, 10, 0, ' ');
}

void text_add_int(struct text *text, int64_t number)
{
	if (number >= 0) {
		digits_add(text, (uint64_t)number, 10, 0, ' ');
		return;
	}
	text_add_char(text, '-');
	/* Negated as unsigned: the lowest number has no positive counterpart. */
	digits_add(text, UINT64_C(0) - (uint64_t)number, 10, 0, ' ');
}

void text_add_padded(struct text *text, unsigned number, unsigned width, char pad)
{
	digits_add(text, number, 10, width, pad);
}

void text_add_hex(struct text *text, unsigned number)
{
	digits_add(text, number, 16, 0, '0');
}

void text_add_escaped(struct text *text, const void *bytes, size_t length)
{
	const unsigned char *byte = bytes;

	for (size_t i = 0; i < length; i++) {
		if (byte[i] == '\\') {
			text_add(text, "\\\\");
		} else if (byte[i] >= 0x20 && byte[i] < 0x7f) {
			text_add_char(text, (char)byte[i]);
		} else {
			text_add(text, "\\x");
			digits_add(text, byte[i], 16, 2, '0');
		}
	}
}

int text_parse_unsigned(const char *string, uint64_t min, uint64_t max, uint64_t *number)
{
	uint64_t value = 0;

	if (*string == '\0')
		return -1;
	for (; *string != '\0'; string++) {
		if (*string < '0' || *string > '9')
			return -1;
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(*string - '0'), &value))
			return -1;
	}
	if (value < min || value > max)
		return -1;
	*number = value;
	return 0;
}
