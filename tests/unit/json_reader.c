/*
 * json_reader: a strict reader of the log's JSON.
 */
#include "config.h"
#include "tests/unit/json_reader.h"

#include <stdint.h>
#include <string.h>

static bool read_char(struct json_value *reader, char c)
{
	if (*reader->at != (unsigned char)c)
		return false;
	reader->at++;
	return true;
}

static int read_hex4(struct json_value *reader)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef";
		const char *digit = *reader->at == '\0' ? NULL : strchr(digits, *reader->at);

		if (digit == NULL)
			return -1;
		value = value * 16 + (int)(digit - digits);
		reader->at++;
	}
	return value;
}

static bool read_escape(struct json_value *reader)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	int value;

	if (read_char(reader, 'u')) {
		value = read_hex4(reader);
		if (value < 0 || value > 0xff)
			return false;
		if (value >= 0x80)
			reader->value[reader->length++] = (char)(0xc0 | value >> 6);
		reader->value[reader->length++] =
			(char)(value < 0x80 ? value : 0x80 | (value & 0x3f));
		return true;
	}
	at = *reader->at == '\0' ? NULL : strchr(from, *reader->at);
	if (at == NULL)
		return false;
	reader->at++;
	reader->value[reader->length++] = to[at - from];
	return true;
}

/* One character above U+007F, by its code point. */
static bool read_utf8(struct json_value *reader)
{
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned first = *reader->at;
	int length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
	unsigned point;

	if (length == 0 || first >= 0xf8)
		return false;
	point = first & (0xffu >> (length + 1));
	for (int i = 0; i < length; i++) {
		unsigned byte = reader->at[i];

		if (i > 0 && (byte & 0xc0) != 0x80)
			return false;
		if (i > 0)
			point = point << 6 | (byte & 0x3f);
		reader->value[reader->length++] = (char)byte;
	}
	reader->at += length;
	return point >= least[length] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) &&
	       point >= 0xa0; /* U+0080 to U+009F are to be escaped */
}

static bool read_string(struct json_value *reader)
{
	reader->length = 0;
	if (!read_char(reader, '"'))
		return false;
	while (*reader->at != '"') {
		bool good = true;

		if (*reader->at < ' ' || *reader->at == 0x7f)
			return false;
		if (read_char(reader, '\\'))
			good = read_escape(reader);
		else if (*reader->at >= 0x80)
			good = read_utf8(reader);
		else
			reader->value[reader->length++] = (char)*reader->at++;
		if (!good)
			return false;
	}
	reader->at++;
	return true;
}

static bool read_value(struct json_value *reader)
{
	reader->length = 0;
	if (*reader->at == '"')
		return read_string(reader);
	if (*reader->at == '-')
		reader->value[reader->length++] = (char)*reader->at++;
	if (*reader->at == '0' && reader->at[1] >= '0' && reader->at[1] <= '9')
		return false;
	while (*reader->at >= '0' && *reader->at <= '9')
		reader->value[reader->length++] = (char)*reader->at++;
	return reader->length > 0;
}

bool json_find(const char *line, const char *key, struct json_value *found)
{
	struct json_value reader = {.at = (const unsigned char *)line};
	bool is_wanted;

	found->length = SIZE_MAX;
	if (!read_char(&reader, '{'))
		return false;
	do {
		if (!read_string(&reader))
			return false;
		is_wanted = reader.length == strlen(key) &&
			    memcmp(reader.value, key, reader.length) == 0;
		if (!read_char(&reader, ':') || !read_value(&reader))
			return false;
		if (is_wanted)
			*found = reader;
	} while (read_char(&reader, ','));
	return read_char(&reader, '}') && *reader.at == '\0';
}
