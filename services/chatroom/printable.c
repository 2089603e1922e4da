/*
 * printable: makes what one client sends fit for the terminals of the others.
 */
#include "config.h"

#include "services/chatroom/printable.h"

#include <stdbool.h>
#include <stdint.h>

/* The bytes that a sequence with this first byte has; 0: no sequence begins so. */
static size_t sequence_length(unsigned char first)
{
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

/* Whether a code point may come in so many bytes and is no control character. */
static bool code_fits(uint32_t code, size_t length)
{
	static const uint32_t lowest[] = {[2] = 0xa0, [3] = 0x800, [4] = 0x10000};

	return code >= lowest[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* Bytes of the character at text that may stay; 0: its first byte may not. */
static size_t character_length(const unsigned char *text, size_t left)
{
	size_t length = sequence_length(text[0]);
	uint32_t code;

	if (text[0] < 0x80)
		return text[0] >= 0x20 && text[0] != 0x7f ? 1 : 0;
	if (length == 0 || length > left)
		return 0;
	code = text[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	return code_fits(code, length) ? length : 0;
}

void printable_replace(char *text, size_t length)
{
	size_t at = 0;

	while (at < length) {
		size_t stays = character_length((const unsigned char *)text + at, length - at);

		if (stays == 0) {
			text[at] = text[at] == '\t' ? ' ' : '?';
			stays = 1;
		}
		at += stays;
	}
}
