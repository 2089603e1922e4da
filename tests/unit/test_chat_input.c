/*
 * Tests of services/chatroom/input: the same lines, in whatever pieces they come.
 */
#include "config.h"

#include "services/chatroom/input.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX INPUT_MAX_LENGTH

/* Writes what is found: lines as "[LENGTH:first byte]", overlong ones as "!", the last as "$...".
 */
static void input_describe(
	const char *data, size_t size, size_t piece_max, char *found, size_t room)
{
	struct input input;
	size_t used = 0, length;
	char *line;

	input_init(&input);
	found[0] = '\0';
	while (size > 0) {
		size_t left = 1 + (size_t)rand() % piece_max;
		const char *piece = data;
		enum input_status status;

		left = left < size ? left : size;
		data += left;
		size -= left;
		while ((status = input_next(&input, &piece, &left, &line, &length)) != INPUT_MORE) {
			if (status == INPUT_TOO_LONG) {
				used += (size_t)snprintf(found + used, room - used, "!");
				continue;
			}
			assert_int_equal(line[length], '\0');
			used += (size_t)snprintf(
				found + used, room - used, "[%zu:%c]", length, line[0]);
			assert_true(used < room);
		}
		assert_int_equal(left, 0);
	}
	if (input_last(&input, &line, &length))
		snprintf(found + used, room - used, "$%zu:%s", length, line);
}

/* Letters stand for themselves, 'L' for a line's worth of bytes, '.' for CR, ',' for LF. */
static size_t data_expand(const char *pattern, char *data)
{
	size_t used = 0;

	for (; *pattern != '\0'; pattern++) {
		if (*pattern == 'L') {
			memset(data + used, 'x', MAX);
			used += MAX;
		} else {
			data[used++] = *pattern == '.' ? '\r' : *pattern == ',' ? '\n' : *pattern;
		}
	}
	return used;
}

static void lines_are_found_in_any_pieces(void **state)
{
	static const struct {
		const char *pattern;
		const char *found;
	} cases[] = {
		{"", ""},
		{"a,", "[1:a]"},
		{"a.,", "[1:a]"},
		{"ab,cd,", "[2:a][2:c]"},
		{"abc", "$3:abc"},
		{"abc.", "$3:abc"},
		{"a,b", "[1:a]$1:b"},
		{"a.b,", "[3:a]"},
		{"a..,", "[2:a]"},
		{"L,", "[1024:x]"},
		{"L.,", "[1024:x]"},
		{"Ly,", "!"},
		{"Ly.,", "!"},
		{"L..,", "!"},
		{"L.y,", "!"},
		{"LLLLLL,a,", "![1:a]"},
		{"Lyz,Lyz,a,L,", "!![1:a][1024:x]"},
		{"LLL", "!"},
		{"Ly,b", "!$1:b"},
	};
	unsigned seed = (unsigned)time(NULL);
	char data[8 * MAX], found[256];

	(void)state;
	printf("# seed %u\n", seed);
	srand(seed);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = data_expand(cases[i].pattern, data);

		for (size_t piece_max = 1; piece_max <= sizeof(data); piece_max *= 2) {
			input_describe(data, size, piece_max, found, sizeof(found));
			assert_string_equal(found, cases[i].found);
		}
	}
}

static void empty_lines_count(void **state)
{
	const char *piece = "\n\r\n";
	size_t left = 3, length = 1;
	struct input input;
	char *line;

	(void)state;
	input_init(&input);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(input_next(&input, &piece, &left, &line, &length), INPUT_LINE);
		assert_int_equal(length, 0);
		assert_string_equal(line, "");
	}
	assert_int_equal(input_next(&input, &piece, &left, &line, &length), INPUT_MORE);
	assert_false(input_last(&input, &line, &length));
}

static void nuls_are_bytes(void **state)
{
	const char *piece = "a\0b\n";
	size_t left = 4, length;
	struct input input;
	char *line;

	(void)state;
	input_init(&input);
	assert_int_equal(input_next(&input, &piece, &left, &line, &length), INPUT_LINE);
	assert_int_equal(length, 3);
	assert_memory_equal(line, "a\0b", 4);
}

static void statuses_have_names(void **state)
{
	(void)state;
	assert_string_equal(input_status_name(INPUT_MORE), "more");
	assert_string_equal(input_status_name(INPUT_LINE), "line");
	assert_string_equal(input_status_name(INPUT_TOO_LONG), "too long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_found_in_any_pieces),
		cmocka_unit_test(empty_lines_count),
		cmocka_unit_test(nuls_are_bytes),
		cmocka_unit_test(statuses_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
