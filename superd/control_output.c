/*
 * control_output: a buffer that is sent and filled again.
 */
#include "config.h"
#include "superd/control_output.h"

#include "superd/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void control_output_free(struct control_output *output)
{
	free(output->data);
	*output = (struct control_output){0};
}

static bool output_reserve(struct control_output *output, size_t length)
{
	size_t size = output->size == 0 ? CONTROL_PIECE : output->size;
	char *grown;

	if (output->failed)
		return false;
	if (output->size - output->used >= length)
		return true;
	while (size - output->used < length)
		size *= 2;
	grown = realloc(output->data, size);
	if (grown == NULL) {
		output->failed = true;
		return false;
	}
	output->data = grown;
	output->size = size;
	return true;
}

static void output_raw(struct control_output *output, const char *bytes, size_t length)
{
	if (!output_reserve(output, length))
		return;
	memcpy(output->data + output->used, bytes, length);
	output->used += length;
}

/* Bytes that are ASCII or part of UTF-8 already. */
static void output_escaped(struct control_output *output, const char *bytes, size_t length)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', 'u', '0', '0', 0, 0};

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte == '\n') {
			output_raw(output, "\\n", 2);
		} else if (byte == '"' || byte == '\\') {
			output_raw(output, byte == '"' ? "\\\"" : "\\\\", 2);
		} else if (byte < 0x20 || byte == 0x7f) {
			escape[4] = hex[byte >> 4];
			escape[5] = hex[byte & 15];
			output_raw(output, escape, sizeof(escape));
		} else {
			output_raw(output, &bytes[i], 1);
		}
	}
}

void control_output_bytes(struct control_output *output, const char *bytes, size_t length)
{
	if (output->quoted)
		output_escaped(output, bytes, length);
	else
		output_raw(output, bytes, length);
}

void control_output_text(struct control_output *output, const char *text)
{
	control_output_bytes(output, text, strlen(text));
}

void control_output_uint(struct control_output *output, uint64_t number)
{
	char text[FORMAT_NUMBER_SIZE];

	output_raw(output, text, (size_t)(format_uint(text, number) - text));
}

static int output_dump(const char *bytes, size_t length, void *output)
{
	control_output_bytes(output, bytes, length);
	return 0;
}

void control_output_json(struct control_output *output, json_t *value)
{
	if (value == NULL || json_dump_callback(value, output_dump, output,
				     JSON_ENCODE_ANY | JSON_REAL_PRECISION(12)) != 0)
		output->failed = true;
	json_decref(value);
}

void control_output_quote(struct control_output *output, bool quoted)
{
	output->quoted = quoted;
}

bool control_output_is_full(const struct control_output *output)
{
	return output->used >= CONTROL_PIECE;
}

bool control_output_waits(const struct control_output *output)
{
	return output->sent < output->used;
}

ssize_t control_output_send(struct control_output *output, int fd)
{
	ssize_t count;

	if (!control_output_waits(output))
		return 0;
	do
		count = send(fd, output->data + output->sent, output->used - output->sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
	output->sent += (size_t)count;
	if (output->sent == output->used) {
		output->sent = 0;
		output->used = 0;
	}
	return count;
}

/* How many bytes of UTF-8 begin at text; 0: none. */
static size_t utf8_length(const unsigned char *text)
{
	size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
	uint32_t value;

	if (length == 1)
		return 1;
	if (text[0] < 0xc2 || text[0] > 0xf4)
		return 0;
	value = text[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if ((length == 3 && value < 0x800) ||
		(length == 4 && (value < 0x10000 || value > 0x10ffff)))
		return 0;
	return value >= 0xd800 && value <= 0xdfff ? 0 : length;
}

json_t *control_string(const char *text)
{
	char *copy = strdup(text);
	json_t *string;

	if (copy == NULL)
		return NULL;
	for (size_t i = 0; copy[i] != '\0';) {
		size_t length = utf8_length((const unsigned char *)copy + i);

		if (length == 0)
			copy[i] = '?';
		i += length == 0 ? 1 : length;
	}
	string = json_string_nocheck(copy);
	free(copy);
	return string;
}
