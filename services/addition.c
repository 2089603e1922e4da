/*
 * addition: sum's requests and answers in text and binary.
 */
#include "config.h"

#include "services/addition.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

static const char input_error[] = "input error\n";

static const char *blanks_skip(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* Reads a number at `at`.  Returns the byte behind it, or NULL where there is none. */
static const char *number_read(const char *at, const char *end, int64_t *number)
{
	bool negative = at < end && *at == '-';
	int64_t value = 0;
	const char *digits;

	if (at < end && (*at == '-' || *at == '+'))
		at++;
	digits = at;
	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		int digit = *at - '0';

		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, negative ? -digit : digit, &value))
			return NULL;
	}
	*number = value;
	return at > digits ? at : NULL;
}

int addition_line(const char *line, size_t length, int64_t *sum)
{
	const char *end = line + length;
	const char *at = number_read(blanks_skip(line, end), end, sum);
	const char *next;
	int64_t second;

	if (at == NULL || length > ADDITION_MAX_LINE)
		return -1;
	next = blanks_skip(at, end);
	if (next == at)
		return -1;
	at = number_read(next, end, &second);
	if (at == NULL || blanks_skip(at, end) != end)
		return -1;
	return __builtin_add_overflow(*sum, second, sum) ? -1 : 0;
}

void addition_answer(struct text *text, const char *line, size_t length)
{
	int64_t sum;

	if (addition_line(line, length, &sum) == 0) {
		text_add_int(text, sum);
		text_add_char(text, '\n');
	} else {
		text_add(text, input_error);
	}
}

size_t addition_datagram(const char *data, size_t length, char answer[ADDITION_DATAGRAM_SIZE])
{
	size_t limit = length > sizeof(input_error) - 1 ? length : sizeof(input_error) - 1;
	const char *end = data + length;
	struct text text;

	text_begin(&text, answer, ADDITION_DATAGRAM_SIZE);
	for (const char *line = data; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *line_end = newline != NULL ? newline : end;
		size_t answered = text.used;

		if (newline > line && newline[-1] == '\r')
			line_end--;
		addition_answer(&text, line, (size_t)(line_end - line));
		if (text.used > limit)
			return answered;
		line = newline != NULL ? newline + 1 : end;
	}
	return text.used;
}

static int64_t integer_get(const uint8_t *data, enum addition_order order)
{
	uint64_t bits;

	memcpy(&bits, data, sizeof(bits));
	return (int64_t)(order == ORDER_BIG ? be64toh(bits) : bits);
}

static void integer_put(uint8_t *data, int64_t number, enum addition_order order)
{
	uint64_t bits = (uint64_t)number;

	if (order == ORDER_BIG)
		bits = htobe64(bits);
	memcpy(data, &bits, sizeof(bits));
}

size_t addition_binary(uint8_t *data, size_t length, enum addition_order order)
{
	size_t count = length / ADDITION_REQUEST_SIZE;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *request = data + i * ADDITION_REQUEST_SIZE;
		int64_t sum;

		if (__builtin_add_overflow(integer_get(request, order),
			    integer_get(request + ADDITION_ANSWER_SIZE, order), &sum))
			return i;
		integer_put(data + i * ADDITION_ANSWER_SIZE, sum, order);
	}
	return count;
}
