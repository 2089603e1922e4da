/*
 * conf_scan and conf_string: tokens, the lines they stand on, strings there and back.
 */
#include "config.h"
#include "superd/conf_scan.h"
#include "superd/conf_string.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct conf_file file = {.name = "f"};

static void full_cb(void *owner) __attribute__((noreturn));

static void full_cb(void *owner)
{
	(void)owner;
	abort();
}

static void message_cb(void *owner, enum conf_severity severity, const char *text)
{
	char *all = owner;
	size_t used = strlen(all);

	(void)severity;
	snprintf(all + used, 1024 - used, "%s\n", text);
}

/* Scans text; messages go to said.  Tokens as "line:kind:text" in told. */
static int scan(const char *text, char told[1024], char said[1024])
{
	static const char kinds[] = "ws{}()=+,.";
	struct conf_pool pool = {.full_cb = full_cb};
	struct conf_report report = {.pool = &pool};
	struct conf_tokens tokens;
	size_t i, used = 0;
	int rc;

	rc = conf_scan(&pool, &report, &file, text, strlen(text), &tokens);
	told[0] = said[0] = '\0';
	for (i = 0; i < tokens.count; i++) {
		const struct conf_token *token = &tokens.list[i];

		used += (size_t)snprintf(told + used, 1024 - used, "%u%c%s%.*s ", token->line,
			kinds[token->kind], token->bad ? "!" : "",
			token->kind <= TOKEN_STRING ? (int)token->length : 0, token->text);
	}
	conf_report_send(&report, message_cb, said);
	conf_pool_free(&pool);
	return rc;
}

static void test_tokens(void **state)
{
	static const struct {
		const char *text, *tokens;
	} cases[] = {
		{"", "1. "},
		{"\n\n", "3. "},
		{"a", "1wa 1. "},
		{"a=b", "1wa 1= 1wb 1. "},
		{"a += { b, 'c' }", "1wa 1+ 1{ 1wb 1, 1s'c' 1} 1. "},
		{"f(x)", "1wf 1( 1wx 1) 1. "},
		{"a # b\nc", "1wa 2wc 2. "},
		{"a // b\nc", "1wa 2wc 2. "},
		{"a /* b\n\n*/ c", "1wa 3wc 3. "},
		{"# one\n# two\na", "3wa 3. "},
		{"/* one */ a", "1wa 1. "},
		{"/**/a /**/", "1wa 1. "},
		{"http://x a/b", "1whttp://x 1wa/b 1. "},
		{"a;b;", "1wa 1wb 1. "},
		{"a\r\nb\r\n", "1wa 2wb 3. "},
		{"\xef\xbb\xbf"
		 "a",
			"1wa 1. "},
		{"\"a\\\nb\" c", "1s\"a\\\nb\" 2wc 2. "},
		{"\"a\\\r\nb\" c", "1s\"a\\\nb\" 2wc 2. "},
		{"'#' \"/*\" '{'", "1s'#' 1s\"/*\" 1s'{' 1. "},
		{"a\"b\"", "1wa 1s\"b\" 1. "},
		{"\\", "1w\\ 1. "},
	};
	char told[1024], said[1024];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(scan(cases[i].text, told, said), 0);
		assert_string_equal(said, "");
		assert_string_equal(told, cases[i].tokens);
	}
}

static void test_problems(void **state)
{
	static const struct {
		const char *text;
		int rc;
		const char *said;
	} cases[] = {
		{"{", -1, "f:1: the '{' opened here is never closed\n"},
		{"\n{\n(\n)", -1, "f:2: the '{' opened here is never closed\n"},
		{"}", -1, "f:1: '}' without a matching '{'\n"},
		{"{)", -1,
			"f:1: ')' without a matching '('\n"
			"f:1: the '{' opened here is never closed\n"},
		{"/*", -1, "f:1: the comment that begins here is never closed\n"},
		{"a\n/* {\n", -1, "f:2: the comment that begins here is never closed\n"},
		{"\"a", -1, "f:1: the closing quote of the string that begins here is missing\n"},
		{"\"a\n\" }", -1,
			"f:1: the closing quote of the string that begins here is missing\n"
			"f:2: the closing quote of the string that begins here is missing\n"},
		{"'a\\'", -1, "f:1: the closing quote of the string that begins here is missing\n"},
		{"\"\\", -1, "f:1: the closing quote of the string that begins here is missing\n"},
		{"a*b", 0, "f:1: put quotes around a word that contains '*': \"a*b\"\n"},
		{"a/**/b", 0, "f:1: put quotes around a word that contains '*': \"a/**/b\"\n"},
		{"*", 0, "f:1: put quotes around a word that contains '*': \"*\"\n"},
		{"c++ d", 0, "f:1: put quotes around a word that contains '+': \"c++\"\n"},
		{"${A}", 0, "f:1: put quotes around a word that contains '${': \"${A}\"\n"},
		{"\"\\q\"", 0, "f:1: unknown escape '\\q'\n"},
		{"\"a\\0\"", 0, "f:1: a string cannot hold the byte '\\0'\n"},
		{"\"\\400\"", 0, "f:1: bad escape '\\400'\n"},
		{"\"\\1234\"", 0, "f:1: bad escape '\\1234'\n"},
		{"\"\\x\"", 0, "f:1: bad escape '\\x'\n"},
		{"\"\\x0\"", 0, "f:1: a string cannot hold the byte '\\x0'\n"},
		{"\"\\\nx\\q\"", 0, "f:2: unknown escape '\\q'\n"},
		{"\"${SUPERD_TEST_UNSET}\"", 0,
			"f:1: the environment has no variable 'SUPERD_TEST_UNSET'\n"},
		{"\"${a b}\"", 0, "f:1: not ${NAME} or ${NAME:-default}: '${a b}'\n"},
		{"\"${A:-\"", -1,
			"f:1: the closing quote of the string that begins here is missing\n"},
		{"a\x01", -1, "f:1: byte 0x01 is not text\n"},
		{"\r", -1, "f:1: byte 0x0d is not text\n"},
	};
	char told[1024], said[1024];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		int rc = scan(cases[i].text, told, said);

		assert_string_equal(said, cases[i].said);
		assert_int_equal(rc, cases[i].rc);
	}
}

/* Deep brackets end the scan; they do not end the process. */
static void test_depth(void **state)
{
	char told[1024], said[1024], text[64];

	(void)state;
	memset(text, '{', 16);
	memset(text + 16, '}', 16);
	text[32] = '\0';
	assert_int_equal(scan(text, told, said), 0);
	memset(text, '{', 17);
	memset(text + 17, '}', 17);
	text[34] = '\0';
	assert_int_equal(scan(text, told, said), -1);
	assert_string_equal(said, "f:1: brackets are nested too deeply\n");
}

/* What is quoted scans as one token, a word only where it needs no quotes. */
static void test_quote(void **state)
{
	static const struct {
		const char *text, *quoted;
	} cases[] = {
		{"", "\"\""},
		{"abc", "abc"},
		{"/bin/cat", "/bin/cat"},
		{"[::1]:7", "[::1]:7"},
		{"-u", "-u"},
		{"a b", "\"a b\""},
		{"a//b", "\"a//b\""},
		{"a;b", "\"a;b\""},
		{"\"", "\"\\\"\""},
		{"\\", "\"\\\\\""},
		{"\n\r\t\b\f\a\033\v", "\"\\n\\r\\t\\b\\f\\a\\e\\v\""},
		{"\x01\x7f", "\"\\x01\\x7f\""},
		{"\x01"
		 "a",
			"\"\\x01a\""},
		{"$", "\"$\""},
		{"${A}", "\"\\${A}\""},
		{"$${", "\"$\\${\""},
		{"\xc3\xa4", "\"\xc3\xa4\""},
	};
	struct conf_pool pool = {.full_cb = full_cb};
	char told[1024], said[1024];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		const char *quoted = conf_string_quote(&pool, cases[i].text);
		char expected[64];

		assert_string_equal(quoted, cases[i].quoted);
		assert_int_equal(scan(quoted, told, said), 0);
		snprintf(expected, sizeof(expected), "1%c%s 1. ", quoted[0] == '"' ? 's' : 'w',
			quoted);
		assert_string_equal(told, expected);
		assert_string_equal(said, "");
	}
	conf_pool_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
