/*
 * test_log: what a record looks like, as text and as JSON, for any bytes and any length.
 */
#include "config.h"
#include "superd/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "superd/log_sink.h"
#include "tests/unit/json_reader.h"

#define LINE_SIZE 8192

/* A sink that ends in a pipe, and what came out of it. */
struct tap {
	struct log_sink *sink;
	int ends[2];
	char line[LINE_SIZE];
	size_t length; /* without the newline */
};

static void tap_open(struct tap *tap, enum log_format format)
{
	const struct log_spec spec = {.to = LOG_TO_STDERR, .format = format};
	char path[64];
	struct log_places places = {.stderr_path = path};
	struct error error;

	assert_int_equal(pipe2(tap->ends, O_CLOEXEC), 0);
	places.stderr_fd = tap->ends[1];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tap->ends[1]);
	if (log_sink_open_at(&spec, &places, &tap->sink, &error) == -1)
		fail_msg("%s", error.text);
}

static void tap_close(struct tap *tap)
{
	log_sink_close(tap->sink);
	close(tap->ends[0]);
	close(tap->ends[1]);
}

/* Ends the record and fetches its one line. */
static const char *tap_line(struct tap *tap, struct log_record *record)
{
	ssize_t got;

	log_end(record);
	log_flush();
	got = read(tap->ends[0], tap->line, sizeof(tap->line) - 1);
	assert_true(got > 0);
	assert_true(tap->line[got - 1] == '\n');
	tap->length = (size_t)got - 1;
	tap->line[tap->length] = '\0';
	assert_null(memchr(tap->line, '\n', tap->length));
	assert_int_equal(strlen(tap->line), tap->length);
	return tap->line;
}

static void check_json(const char *line, const char *key, const char *value, size_t length)
{
	struct json_value found;

	if (!json_find(line, key, &found))
		fail_msg("no JSON: %s", line);
	assert_int_equal(found.length, length);
	assert_memory_equal(found.value, value, length);
}

/* --- tables --- */

#define BYTES(string) (string), sizeof(string) - 1

static const struct {
	const char *value;
	size_t length;
	const char *text;
	const char *json;
} table[] = {
	{BYTES("echo"), "echo", "\"echo\""},
	{BYTES("127.0.0.1:40000"), "127.0.0.1:40000", "\"127.0.0.1:40000\""},
	{BYTES("[::1]:7"), "[::1]:7", "\"[::1]:7\""},
	{BYTES("3/64"), "3/64", "\"3/64\""},
	{BYTES("!#$%&'()*+,-./:;<>?@[]^_`{|}~"), "!#$%&'()*+,-./:;<>?@[]^_`{|}~",
		"\"!#$%&'()*+,-./:;<>?@[]^_`{|}~\""},
	{BYTES(""), "\"\"", "\"\""},
	{BYTES(" "), "\" \"", "\" \""},
	{BYTES("a=b"), "\"a=b\"", "\"a=b\""},
	{BYTES("say \"hi\""), "\"say \\\"hi\\\"\"", "\"say \\\"hi\\\"\""},
	{BYTES("a\\b"), "\"a\\\\b\"", "\"a\\\\b\""},
	{BYTES("a\nb\tc\rd"), "\"a\\nb\\tc\\rd\"", "\"a\\nb\\tc\\rd\""},
	{BYTES("\0x\0"), "\"\\x00x\\x00\"", "\"\\u0000x\\u0000\""},
	{BYTES("\x1b[31m"), "\"\\x1b[31m\"", "\"\\u001b[31m\""},
	{BYTES("\x7f"), "\"\\x7f\"", "\"\\u007f\""},
	{BYTES("caf\xc3\xa9"), "\"caf\\xc3\\xa9\"", "\"caf\xc3\xa9\""},
	{BYTES("\xc2\x9b"), "\"\\xc2\\x9b\"", "\"\\u009b\""}, /* CSI */
	{BYTES("\xc2\xa0"), "\"\\xc2\\xa0\"", "\"\xc2\xa0\""},
	{BYTES("\xe2\x82\xac"), "\"\\xe2\\x82\\xac\"", "\"\xe2\x82\xac\""},
	{BYTES("\xf0\x9f\x98\x80"), "\"\\xf0\\x9f\\x98\\x80\"", "\"\xf0\x9f\x98\x80\""},
	{BYTES("\xf4\x8f\xbf\xbf"), "\"\\xf4\\x8f\\xbf\\xbf\"", "\"\xf4\x8f\xbf\xbf\""},
	/* no UTF-8: alone, cut short, too long a form, half of a pair, too high */
	{BYTES("\xff"), "\"\\xff\"", "\"\\u00ff\""},
	{BYTES("\x80"), "\"\\x80\"", "\"\\u0080\""},
	{BYTES("\xc3"), "\"\\xc3\"", "\"\\u00c3\""},
	{BYTES("\xe2\x82"), "\"\\xe2\\x82\"", "\"\\u00e2\\u0082\""},
	{BYTES("\xe2\x82x"), "\"\\xe2\\x82x\"", "\"\\u00e2\\u0082x\""},
	{BYTES("\xc0\xaf"), "\"\\xc0\\xaf\"", "\"\\u00c0\\u00af\""},
	{BYTES("\xe0\x80\xaf"), "\"\\xe0\\x80\\xaf\"", "\"\\u00e0\\u0080\\u00af\""},
	{BYTES("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"", "\"\\u00ed\\u00a0\\u0080\""},
	{BYTES("\xf0\x80\x80\xaf"), "\"\\xf0\\x80\\x80\\xaf\"", "\"\\u00f0\\u0080\\u0080\\u00af\""},
	{BYTES("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"", "\"\\u00f4\\u0090\\u0080\\u0080\""},
};

static void test_escapes(void **unused)
{
	struct log_record record;
	struct tap text;
	struct tap json;
	char expected[256];

	(void)unused;
	tap_open(&text, LOG_TEXT);
	tap_open(&json, LOG_JSON);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		log_begin(&record, text.sink, LEVEL_INFO, "x");
		log_bytes(&record, "v", table[i].value, table[i].length);
		snprintf(expected, sizeof(expected), "Z info event=x v=%s", table[i].text);
		assert_string_equal(tap_line(&text, &record) + 23, expected);
		log_begin(&record, json.sink, LEVEL_INFO, "x");
		log_bytes(&record, "v", table[i].value, table[i].length);
		snprintf(expected, sizeof(expected),
			"Z\",\"level\":\"info\",\"event\":\"x\",\"v\":%s}", table[i].json);
		assert_string_equal(tap_line(&json, &record) + 32, expected);
	}
	tap_close(&text);
	tap_close(&json);
}

static void fill_all(struct log_record *record)
{
	log_string(record, "service", "echo");
	log_hex(record, "id", 0x5f2c);
	log_format(record, "peer", "%s:%d", "127.0.0.1", 40000);
	log_int(record, "pid", 812);
	log_int(record, "least", INT64_MIN);
	log_int(record, "most", INT64_MAX);
	log_int(record, "zero", 0);
	log_hex(record, "zerohex", 0);
	log_hex(record, "mosthex", UINT64_MAX);
}

static void test_kinds(void **unused)
{
	struct log_record record;
	struct tap text;
	struct tap json;

	(void)unused;
	tap_open(&text, LOG_TEXT);
	tap_open(&json, LOG_JSON);
	log_begin(&record, text.sink, LEVEL_INFO, "accept");
	fill_all(&record);
	assert_string_equal(tap_line(&text, &record) + 24,
		" info event=accept service=echo id=5f2c peer=127.0.0.1:40000 pid=812 "
		"least=-9223372036854775808 most=9223372036854775807 zero=0 zerohex=0 "
		"mosthex=ffffffffffffffff");
	log_begin(&record, json.sink, LEVEL_ERROR, "accept");
	fill_all(&record);
	assert_string_equal(tap_line(&json, &record) + 33,
		"\",\"level\":\"error\",\"event\":\"accept\",\"service\":\"echo\",\"id\":\"5f2c\","
		"\"peer\":\"127.0.0.1:40000\",\"pid\":812,\"least\":-9223372036854775808,"
		"\"most\":9223372036854775807,\"zero\":0,\"zerohex\":\"0\","
		"\"mosthex\":\"ffffffffffffffff\"}");
	assert_memory_equal(json.line, "{\"time\":\"2", 10);
	tap_close(&text);
	tap_close(&json);
}

/* The time in front is now, in either clock's words. */
static void test_time(void **unused)
{
	struct log_record record;
	struct tap tap;
	char before[CLOCK_TEXT_SIZE];
	char after[CLOCK_TEXT_SIZE];

	(void)unused;
	tap_open(&tap, LOG_TEXT);
	for (int i = 0; i < 1000; i++) {
		clock_format(clock_wall_ns(), before);
		log_begin(&record, tap.sink, LEVEL_INFO, "x");
		tap_line(&tap, &record);
		clock_format(clock_wall_ns(), after);
		assert_true(memcmp(before, tap.line, 24) <= 0);
		assert_true(memcmp(tap.line, after, 24) <= 0);
	}
	tap_close(&tap);
}

static void test_levels(void **unused)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
	enum log_level level;
	struct log_record record;
	struct tap tap;
	char expected[64];

	(void)unused;
	tap_open(&tap, LOG_TEXT);
	for (int i = 0; i < 5; i++) {
		assert_string_equal(log_level_name((enum log_level)i), names[i]);
		assert_int_equal(log_level_parse(names[i], &level), 0);
		assert_int_equal(level, i);
		log_begin(&record, tap.sink, level, "x");
		snprintf(expected, sizeof(expected), " %s event=x", names[i]);
		assert_string_equal(tap_line(&tap, &record) + 24, expected);
	}
	assert_int_equal(log_level_parse("Error", &level), -1);
	assert_int_equal(log_level_parse("", &level), -1);
	tap_close(&tap);
}

/* Without a sink nothing happens, and nothing is read of what the caller left in the record. */
static void test_discarded(void **unused)
{
	struct log_record record;

	(void)unused;
	log_begin(&record, NULL, LEVEL_INFO, "x");
	fill_all(&record);
	log_bytes(&record, "v", "abc", 3);
	log_end(&record);
	assert_int_equal(record.used, 0);
}

/* --- any bytes, any length --- */

/* Undoes the text form; returns the length, or -1 where it is not well-formed. */
static ssize_t text_value(const char *at, char *out)
{
	ssize_t length = 0;
	unsigned byte;

	if (*at != '"') {
		for (; *at != '\0' && *at != ' '; at++)
			out[length++] = *at;
		return length;
	}
	for (at++; *at != '"'; at++) {
		if (*at == '\0')
			return -1;
		byte = (unsigned char)*at;
		if (*at == '\\') {
			at++;
			if (*at == 'x' && sscanf(at + 1, "%2x", &byte) == 1)
				at += 2;
			else if (strchr("ntr\"\\", *at) == NULL || *at == '\0')
				return -1;
			else
				byte = (unsigned char)(*at == 'n'   ? '\n'
						       : *at == 't' ? '\t'
						       : *at == 'r' ? '\r'
								    : *at);
		}
		out[length++] = (char)byte;
	}
	return at[1] == '\0' || at[1] == ' ' ? length : -1;
}

static void check_text(const char *line, const char *value, size_t length)
{
	char out[LINE_SIZE];
	const char *at = strstr(line, " v=");
	ssize_t got;

	assert_non_null(at);
	got = text_value(at + 3, out);
	assert_int_equal(got, length);
	assert_memory_equal(out, value, length);
	for (at = line; *at != '\0'; at++)
		assert_true(*at >= ' ' && *at < 0x7f);
}

static size_t fill_random(char *value, size_t limit)
{
	size_t length = (size_t)random() % limit;

	for (size_t i = 0; i < length; i++)
		value[i] = (char)(random() % 4 == 0 ? 'a' + random() % 26 : random());
	return length;
}

static size_t put_utf8(char *at, unsigned point)
{
	if (point < 0x80) {
		at[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		at[0] = (char)(0xc0 | point >> 6);
		at[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		at[0] = (char)(0xe0 | point >> 12);
		at[1] = (char)(0x80 | (point >> 6 & 0x3f));
		at[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	at[0] = (char)(0xf0 | point >> 18);
	at[1] = (char)(0x80 | (point >> 12 & 0x3f));
	at[2] = (char)(0x80 | (point >> 6 & 0x3f));
	at[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

static size_t fill_utf8(char *value)
{
	static const unsigned limits[] = {0x80, 0x100, 0x800, 0x10000, 0x110000};
	size_t length = 0;

	for (long i = random() % 60; i > 0; i--) {
		unsigned point = (unsigned)random() % limits[random() % 5];

		if (point < 0xd800 || point > 0xdfff)
			length += put_utf8(value + length, point);
	}
	return length;
}

static void test_random(void **unused)
{
	unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
	struct log_record record;
	struct json_value found;
	struct tap text;
	struct tap json;
	char value[600];
	size_t length;

	(void)unused;
	print_message("seed %u\n", seed);
	srandom(seed);
	tap_open(&text, LOG_TEXT);
	tap_open(&json, LOG_JSON);
	for (int round = 0; round < 1000; round++) {
		length = fill_random(value, sizeof(value));
		log_begin(&record, text.sink, LEVEL_INFO, "x");
		log_bytes(&record, "v", value, length);
		check_text(tap_line(&text, &record), value, length);
		log_begin(&record, json.sink, LEVEL_INFO, "x");
		log_bytes(&record, "v", value, length);
		if (!json_find(tap_line(&json, &record), "v", &found))
			fail_msg("no JSON: %s", json.line);
		length = fill_utf8(value);
		log_begin(&record, json.sink, LEVEL_INFO, "x");
		log_bytes(&record, "v", value, length);
		check_json(tap_line(&json, &record), "v", value, length);
	}
	tap_close(&text);
	tap_close(&json);
}

/* One character over and over, and how long it is when escaped. */
static const struct {
	const char *bytes;
	size_t text_size;
	size_t json_size;
} pieces[] = {
	{"a", 1, 1},
	{" ", 1, 1},
	{"\"", 2, 2},
	{"\xff", 4, 6},
	{"\xc3\xa9", 8, 2},
	{"\xf0\x9f\x98\x80", 16, 4},
};

/* Whether a value of that length just fits, or just not. */
static bool is_near_limit(size_t length)
{
	return length > 4096 - 100 && length < 4096 + 50;
}

static void check_cut_text(struct tap *tap, const char *value, size_t length)
{
	struct log_record record;
	char out[LINE_SIZE];
	const char *at;

	log_begin(&record, tap->sink, LEVEL_INFO, "x");
	log_bytes(&record, "v", value, length);
	log_int(&record, "n", 12345);
	assert_true(record.used <= sizeof(record.text));
	at = strstr(tap_line(tap, &record), " v=");
	assert_non_null(at);
	assert_true(text_value(at + 3, out) > 0);
	at = strstr(tap->line, " n=");
	assert_true(at == NULL || strcmp(at, " n=12345") == 0);
}

static void check_cut_json(struct tap *tap, const char *value, size_t length)
{
	struct log_record record;
	struct json_value found;

	log_begin(&record, tap->sink, LEVEL_INFO, "x");
	log_bytes(&record, "v", value, length);
	log_int(&record, "n", 12345);
	assert_true(record.used <= sizeof(record.text));
	if (!json_find(tap_line(tap, &record), "n", &found))
		fail_msg("no JSON: %s", tap->line);
	assert_true(found.length == SIZE_MAX || found.length == 5);
}

/* A value too long is cut between characters; fields after it are there whole or not at all. */
static void test_cut(void **unused)
{
	struct tap text;
	struct tap json;
	char value[5000];

	(void)unused;
	tap_open(&text, LOG_TEXT);
	tap_open(&json, LOG_JSON);
	for (size_t piece = 0; piece < sizeof(pieces) / sizeof(pieces[0]); piece++) {
		size_t size = strlen(pieces[piece].bytes);

		for (size_t i = 0; i + size <= sizeof(value); i += size)
			memcpy(value + i, pieces[piece].bytes, size);
		for (size_t count = 1; count * size < 4300; count++) {
			if (is_near_limit(count * pieces[piece].text_size))
				check_cut_text(&text, value, count * size);
			if (is_near_limit(count * pieces[piece].json_size))
				check_cut_json(&json, value, count * size);
		}
		check_cut_text(&text, value, sizeof(value) - sizeof(value) % size);
		check_cut_json(&json, value, sizeof(value) - sizeof(value) % size);
	}
	tap_close(&text);
	tap_close(&json);
}

/* Fields until nothing more fits: the record keeps its bounds. */
static void test_many_fields(void **unused)
{
	struct log_record record;
	struct json_value found;
	struct tap json;

	(void)unused;
	tap_open(&json, LOG_JSON);
	log_begin(&record, json.sink, LEVEL_INFO, "x");
	for (int i = 0; i < 2000; i++) {
		log_int(&record, "n", i);
		log_string(&record, "s", "");
		log_hex(&record, "h", (uint64_t)i);
		log_format(&record, "f", "%1100d", i);
		assert_true(record.used <= sizeof(record.text));
	}
	assert_true(json_find(tap_line(&json, &record), "n", &found));
	assert_true(json.length > 4000);
	tap_close(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_discarded),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_many_fields),
	};

	alarm(60); /* against hanging */
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
