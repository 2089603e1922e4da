/*
 * binary: integers as the binary services want them, and as people type them.
 */
#include "config.h"
#include "services/clients/binary.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

const char *binary_order_name(enum binary_order order)
{
	switch (order) {
	case BINARY_NETWORK:
		return "network";
	case BINARY_NATIVE:
		return "native";
	}
	return "unknown";
}

void binary_put_int(int32_t value, enum binary_order order, unsigned char *bytes)
{
	uint32_t word = (uint32_t)value;

	if (order == BINARY_NETWORK)
		word = htonl(word);
	memcpy(bytes, &word, sizeof(word));
}

void binary_put_request(int64_t a, int64_t b, enum binary_order order, unsigned char *bytes)
{
	uint64_t words[2] = {(uint64_t)a, (uint64_t)b};

	if (order == BINARY_NETWORK) {
		words[0] = htobe64(words[0]);
		words[1] = htobe64(words[1]);
	}
	memcpy(bytes, words, sizeof(words));
}

int64_t binary_get_answer(const unsigned char *bytes, enum binary_order order)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	if (order == BINARY_NETWORK)
		word = be64toh(word);
	return (int64_t)word;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Reads one integer at *position and moves behind it.  Digits are collected on the negative side,
 * which reaches one further than the positive one.
 */
static bool integer_parse(const char *line, size_t length, size_t *position, int64_t *value)
{
	size_t at = *position;
	bool negative = false;
	int64_t sum = 0;
	size_t first;

	if (at < length && (line[at] == '-' || line[at] == '+')) {
		negative = line[at] == '-';
		at++;
	}
	for (first = at; at < length && line[at] >= '0' && line[at] <= '9'; at++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
			__builtin_sub_overflow(sum, line[at] - '0', &sum))
			return false;
	if (at == first || (!negative && sum == INT64_MIN))
		return false;
	*position = at;
	*value = negative ? sum : -sum;
	return true;
}

static size_t blanks_skip(const char *line, size_t length, size_t position)
{
	while (position < length && is_blank(line[position]))
		position++;
	return position;
}

bool binary_parse_line(const char *line, size_t length, int64_t *a, int64_t *b)
{
	size_t position;
	size_t gap;
	int64_t first;
	int64_t second;

	if (length > 0 && line[length - 1] == '\n') {
		length--;
		if (length > 0 && line[length - 1] == '\r')
			length--;
	}
	position = blanks_skip(line, length, 0);
	if (!integer_parse(line, length, &position, &first))
		return false;
	gap = position;
	position = blanks_skip(line, length, position);
	if (position == gap || !integer_parse(line, length, &position, &second))
		return false;
	if (blanks_skip(line, length, position) != length)
		return false;
	*a = first;
	*b = second;
	return true;
}

void binary_pattern(size_t length, char *bytes)
{
	size_t i;

	for (i = 0; i < length; i++)
		bytes[i] = (char)('a' + i % 26);
}
