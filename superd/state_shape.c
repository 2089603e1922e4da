/*
 * state_shape: walks the rows of a table, over JSON and memory.
 */
#include "config.h"
#include "superd/state_shape.h"

#include "superd/addr.h"
#include "superd/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 256 /* in one member */
#define NUMBER_SIZE 17  /* hexadecimal digits of the longest, and a comma */
#define PEER_BYTES 24   /* family, port, scope, address */

/* Members are reached through memcpy(3): tables know offsets, not types. */
static void *member_pointer(const void *at, size_t offset)
{
	void *pointer;

	memcpy(&pointer, (const char *)at + offset, sizeof(pointer));
	return pointer;
}

static void member_point(void *at, size_t offset, void *pointer)
{
	memcpy((char *)at + offset, &pointer, sizeof(pointer));
}

static size_t member_size(const void *at, size_t offset)
{
	size_t size;

	memcpy(&size, (const char *)at + offset, sizeof(size));
	return size;
}

/* --- hexadecimal ---------------------------------------------------------------------------- */

static json_t *hex_encode(const unsigned char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(length * 2 + 1);
	json_t *json;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		text[i * 2] = digits[bytes[i] >> 4];
		text[i * 2 + 1] = digits[bytes[i] & 15];
	}
	json = json_stringn_nocheck(text, length * 2);
	free(text);
	return json;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Up to room bytes. Returns how many, or -1 where json is no such text. */
static ssize_t hex_decode(const json_t *json, unsigned char *bytes, size_t room)
{
	const char *text = json_string_value(json);
	size_t length = json_string_length(json);

	if (text == NULL || length % 2 != 0 || length / 2 > room)
		return -1;
	for (size_t i = 0; i < length / 2; i++) {
		int high = hex_digit(text[i * 2]);
		int low = hex_digit(text[i * 2 + 1]);

		if (high < 0 || low < 0)
			return -1;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	return (ssize_t)(length / 2);
}

/* --- peers ---------------------------------------------------------------------------------- */

static json_t *peer_encode(const struct peer *peer)
{
	unsigned char bytes[PEER_BYTES];

	if (peer->family == AF_UNSPEC)
		return json_string("");
	bytes[0] = (unsigned char)(peer->family >> 8);
	bytes[1] = (unsigned char)peer->family;
	bytes[2] = (unsigned char)(peer->port >> 8);
	bytes[3] = (unsigned char)peer->port;
	memcpy(bytes + 4, &peer->scope, sizeof(peer->scope));
	memcpy(bytes + 8, peer->u.ip, sizeof(peer->u.ip));
	return hex_encode(bytes, sizeof(bytes));
}

static bool peer_decode(const json_t *json, struct peer *peer)
{
	unsigned char bytes[PEER_BYTES];
	ssize_t length = hex_decode(json, bytes, sizeof(bytes));

	if (length == 0)
		return true; /* zeroed: nobody */
	if (length != PEER_BYTES)
		return false;
	peer->family = (sa_family_t)(bytes[0] << 8 | bytes[1]);
	peer->port = (uint16_t)(bytes[2] << 8 | bytes[3]);
	memcpy(&peer->scope, bytes + 4, sizeof(peer->scope));
	memcpy(peer->u.ip, bytes + 8, sizeof(peer->u.ip));
	return peer->family == AF_INET || peer->family == AF_INET6 || peer->family == AF_UNIX;
}

/* --- numbers -------------------------------------------------------------------------------- */

static uint64_t numbers_get(const struct state_field *field, const char *at, size_t i)
{
	uint64_t word = 0;
	uint32_t half = 0;

	if (field->kind == STATE_WORDS)
		memcpy(&word, at + i * sizeof(word), sizeof(word));
	else
		memcpy(&half, at + i * sizeof(half), sizeof(half));
	return word | half;
}

/* Returns false where the number does not fit. */
static bool numbers_set(const struct state_field *field, char *at, size_t i, uint64_t word)
{
	uint32_t half = (uint32_t)word;

	if (field->kind == STATE_WORDS)
		memcpy(at + i * sizeof(word), &word, sizeof(word));
	else
		memcpy(at + i * sizeof(half), &half, sizeof(half));
	return field->kind == STATE_WORDS || half == word;
}

/* One text for all of them, hexadecimal with commas: there are many, and most are zero. */
static json_t *numbers_encode(const struct state_field *field, const char *at)
{
	char text[NUMBERS_MAX * NUMBER_SIZE];
	char *end = text;

	for (size_t i = 0; i < (size_t)field->max; i++) {
		if (i > 0)
			*end++ = ',';
		end = format_hex(end, numbers_get(field, at, i));
	}
	return json_stringn_nocheck(text, (size_t)(end - text));
}

/* A number as numbers_encode() writes it. Returns what follows it, or NULL. */
static const char *numbers_parse(const char *text, uint64_t *number)
{
	size_t length = 0;

	*number = 0;
	for (; hex_digit(text[length]) >= 0; length++) {
		if (length == 16)
			return NULL;
		*number = *number << 4 | (unsigned)hex_digit(text[length]);
	}
	return length == 0 || (length > 1 && text[0] == '0') ? NULL : text + length;
}

static bool numbers_decode(const struct state_field *field, const json_t *json, char *at)
{
	const char *text = json_string_value(json);
	uint64_t number;

	for (size_t i = 0; text != NULL && i < (size_t)field->max; i++) {
		text = numbers_parse(text, &number);
		if (text == NULL || !numbers_set(field, at, i, number))
			return false;
		if (i + 1 < (size_t)field->max && *text++ != ',')
			return false;
	}
	return text != NULL && *text == '\0';
}

static bool number_decode(const struct state_field *field, const json_t *json, void *at)
{
	int64_t value = json_integer_value(json);
	int narrow = (int)value;

	if (!json_is_integer(json) || value < field->min || value > field->max)
		return false;
	if (field->kind == STATE_LONG)
		memcpy(at, &value, sizeof(value));
	else
		memcpy(at, &narrow, sizeof(narrow));
	return true;
}

/* --- texts ---------------------------------------------------------------------------------- */

static bool text_decode(const struct state_field *field, const json_t *json, char **text)
{
	size_t length = json_string_length(json);

	if (!json_is_string(json) || length > (size_t)field->max ||
		strlen(json_string_value(json)) != length)
		return false;
	*text = strdup(json_string_value(json));
	return *text != NULL;
}

static bool bytes_decode(const struct state_field *field, const json_t *json, char **text)
{
	size_t length = json_string_length(json) / 2;

	if (!json_is_string(json) || length > (size_t)field->max)
		return false;
	*text = calloc(1, length + 1);
	return *text != NULL &&
	       hex_decode(json, (unsigned char *)*text, length) == (ssize_t)length &&
	       strlen(*text) == length;
}

static bool block_decode(const struct state_field *field, const json_t *json, void *at)
{
	ssize_t length = hex_decode(json, (unsigned char *)at + field->offset, (size_t)field->max);
	size_t used = (size_t)length;

	if (length < 0)
		return false;
	memcpy((char *)at + field->count_offset, &used, sizeof(used));
	return true;
}

/* --- members and structs -------------------------------------------------------------------- */

static json_t *list_encode(const struct state_field *field, const void *at, struct error *error)
{
	const char *items = member_pointer(at, field->offset);
	size_t count = member_size(at, field->count_offset);
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < count; i++) {
		json_t *item =
			state_shape_encode(field->shape, items + i * field->shape->size, error);

		if (json_array_append_new(list, item) != 0) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

/* error says of a list's member what is wrong with it. */
static json_t *field_encode(const struct state_field *field, const void *at, struct error *error)
{
	const char *member = (const char *)at + field->offset;
	const char *text;
	int64_t value;
	int narrow;

	switch (field->kind) {
	case STATE_INT:
		memcpy(&narrow, member, sizeof(narrow));
		return json_integer(narrow);
	case STATE_LONG:
		memcpy(&value, member, sizeof(value));
		return json_integer(value);
	case STATE_BOOL:
		return json_boolean(*(const bool *)member);
	case STATE_TEXT:
		return json_string(member_pointer(at, field->offset));
	case STATE_BYTES:
		text = member_pointer(at, field->offset);
		return hex_encode((const unsigned char *)text, strlen(text));
	case STATE_BLOCK:
		return hex_encode(
			(const unsigned char *)member, member_size(at, field->count_offset));
	case STATE_PEER:
		return peer_encode((const struct peer *)(const void *)member);
	case STATE_LIST:
		return list_encode(field, at, error);
	default:
		return numbers_encode(field, member);
	}
}

json_t *state_shape_encode(const struct state_shape *shape, const void *at, struct error *error)
{
	json_t *whole = shape->row ? json_array() : json_object();

	error->text[0] = '\0';
	for (size_t i = 0; whole != NULL && i < shape->field_count; i++) {
		const struct state_field *field = &shape->fields[i];
		json_t *member = field_encode(field, at, error);
		int failed = shape->row ? json_array_append_new(whole, member)
					: json_object_set_new(whole, field->name, member);

		if (failed != 0) {
			if (error->text[0] == '\0')
				error_set(error, 0, "the state's '%s' cannot be written",
					field->name);
			json_decref(whole);
			whole = NULL;
		}
	}
	if (whole == NULL && error->text[0] == '\0')
		error_set(error, ENOMEM, "the state");
	return whole;
}

static bool list_decode(
	const struct state_field *field, const json_t *json, void *at, struct error *error)
{
	size_t count = json_array_size(json);
	size_t size = field->shape->size;
	char *items;

	if (!json_is_array(json) || count > (size_t)field->max)
		return false;
	items = calloc(count + 1, size);
	if (items == NULL)
		return false;
	member_point(at, field->offset, items);
	memcpy((char *)at + field->count_offset, &count, sizeof(count));
	for (size_t i = 0; i < count; i++) {
		if (state_shape_decode(
			    field->shape, json_array_get(json, i), items + i * size, error) != 0)
			return false;
	}
	return true;
}

static bool field_decode(
	const struct state_field *field, const json_t *json, void *at, struct error *error)
{
	char *member = (char *)at + field->offset;
	char *text = NULL;
	bool good;

	switch (field->kind) {
	case STATE_INT:
	case STATE_LONG:
		return number_decode(field, json, member);
	case STATE_BOOL:
		*(bool *)member = json_is_true(json);
		return json_is_boolean(json);
	case STATE_TEXT:
	case STATE_BYTES:
		good = field->kind == STATE_TEXT ? text_decode(field, json, &text)
						 : bytes_decode(field, json, &text);
		member_point(at, field->offset, text);
		return good;
	case STATE_BLOCK:
		return block_decode(field, json, at);
	case STATE_PEER:
		return peer_decode(json, (struct peer *)(void *)member);
	case STATE_LIST:
		return list_decode(field, json, at, error);
	default:
		return numbers_decode(field, json, member);
	}
}

int state_shape_decode(
	const struct state_shape *shape, const json_t *json, void *at, struct error *error)
{
	error->text[0] = '\0';
	if (shape->row ? json_array_size(json) != shape->field_count
		       : json_object_size(json) != shape->field_count)
		return error_set(error, 0, "the state has not the members that it should have");
	for (size_t i = 0; i < shape->field_count; i++) {
		const struct state_field *field = &shape->fields[i];
		const json_t *member =
			shape->row ? json_array_get(json, i) : json_object_get(json, field->name);

		if (field_decode(field, member, at, error))
			continue;
		if (error->text[0] == '\0')
			error_set(error, 0, "the state's '%s' makes no sense", field->name);
		return -1;
	}
	return 0;
}

void state_shape_free(const struct state_shape *shape, void *at)
{
	for (size_t i = 0; i < shape->field_count; i++) {
		const struct state_field *field = &shape->fields[i];
		char *pointer;

		if (field->kind != STATE_TEXT && field->kind != STATE_BYTES &&
			field->kind != STATE_LIST)
			continue;
		pointer = member_pointer(at, field->offset);
		for (size_t j = 0; field->kind == STATE_LIST && pointer != NULL &&
				   j < member_size(at, field->count_offset);
			j++)
			state_shape_free(field->shape, pointer + j * field->shape->size);
		free(pointer);
	}
}
