/*
 * test_control_output: what is added is what a reader of JSON finds, and what is sent.
 */
#include "config.h"
#include "superd/control_output.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Every byte of a quoted text comes back from a JSON reader. */
static void test_quoted(void **state)
{
	struct control_output output = {0};
	char text[128];
	json_t *string;

	(void)state;
	for (int i = 0; i < 127; i++)
		text[i] = (char)(i + 1);
	text[127] = '\0';
	control_output_text(&output, "\"");
	control_output_quote(&output, true);
	control_output_text(&output, text);
	control_output_quote(&output, false);
	control_output_text(&output, "\"");
	string = json_loadb(output.data, output.used, JSON_DECODE_ANY, NULL);
	assert_non_null(string);
	assert_string_equal(json_string_value(string), text);
	json_decref(string);
	control_output_free(&output);
}

static void test_json(void **state)
{
	struct control_output output = {0};

	(void)state;
	control_output_json(&output, json_pack("{s:i, s:f}", "a", 1, "b", 0.251));
	assert_int_equal(output.used, strlen("{\"a\": 1, \"b\": 0.251}"));
	assert_memory_equal(output.data, "{\"a\": 1, \"b\": 0.251}", output.used);
	assert_false(output.failed);
	control_output_json(&output, NULL);
	assert_true(output.failed);
	control_output_free(&output);
	assert_false(control_output_waits(&output));
}

static void test_full(void **state)
{
	struct control_output output = {0};

	(void)state;
	for (size_t i = 0; i < CONTROL_PIECE - 1; i++)
		control_output_bytes(&output, "x", 1);
	assert_false(control_output_is_full(&output));
	control_output_uint(&output, 12);
	assert_true(control_output_is_full(&output));
	assert_memory_equal(output.data + CONTROL_PIECE - 1, "12", 2);
	control_output_free(&output);
}

/* A socket takes it in pieces; nothing is lost or sent twice, and nobody waits. */
static void test_send(void **state)
{
	struct control_output output = {0};
	size_t size = 1 << 20, got = 0;
	char *read_back = malloc(size);
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (size_t i = 0; i < size; i++)
		control_output_bytes(&output, (const char[]){(char)(i * 7 + i / 256)}, 1);
	while (got < size) {
		ssize_t count = control_output_send(&output, pair[0]);

		assert_true(count >= 0);
		count = recv(pair[1], read_back + got, size - got, MSG_DONTWAIT);
		assert_true(count > 0);
		got += (size_t)count;
	}
	assert_false(control_output_waits(&output));
	for (size_t i = 0; i < size; i++)
		assert_int_equal(read_back[i], (char)(i * 7 + i / 256));
	close(pair[1]);
	control_output_text(&output, "x");
	assert_int_equal(control_output_send(&output, pair[0]), -1);
	close(pair[0]);
	control_output_free(&output);
	free(read_back);
}

static void test_string(void **state)
{
	static const struct {
		const char *bytes;
		const char *text;
	} cases[] = {
		{"", ""},
		{"/run/x", "/run/x"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\xff\x80z", "a??z"},
		{"\xc0\xaf", "??"},           /* overlong */
		{"\xed\xa0\x80", "???"},      /* surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* above U+10FFFF */
		{"\xe2\x82", "??"},           /* cut short */
		{"\xe0\x80\x80", "???"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *string = control_string(cases[i].bytes);
		char *dump = json_dumps(string, JSON_ENCODE_ANY);

		assert_string_equal(json_string_value(string), cases[i].text);
		assert_non_null(dump);
		free(dump);
		json_decref(string);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_send),
		cmocka_unit_test(test_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
