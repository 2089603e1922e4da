/*
 * conf_string: libconfuse decodes strings; here they are held against what it would silently
 * take for something else: unknown escapes, NULs, unset variables, a missing quote.
 */
#include "config.h"
#include "superd/conf_string.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void string_problem(struct conf_string *string, const char *what, const char *text, size_t n)
{
	conf_report_add(string->report, CONF_PROBLEM, string->file, string->line, "%s '%.*s'", what,
		(int)(n < 200 ? n : 200), text);
	string->bad = true;
}

/* The number a run of digits means; -1 where it is more than a byte. */
static int string_byte(const char *digits, size_t count, int base)
{
	char text[4] = "";
	long value;

	memcpy(text, digits, count);
	value = strtol(text, NULL, base);
	return value > 255 ? -1 : (int)value;
}

/* \OOO: libconfuse wants one to three octal digits and no further digit behind them. */
static size_t string_octal(struct conf_string *string, const char *at, const char *end)
{
	size_t length = 1, octal = 0;

	while (at + length < end && isdigit((unsigned char)at[length])) {
		octal += at[length] < '8';
		length++;
	}
	if (length > 4 || octal != length - 1 || string_byte(at + 1, length - 1, 8) < 0)
		string_problem(string, "bad escape", at, length);
	else if (string_byte(at + 1, length - 1, 8) == 0)
		string_problem(string, "a string cannot hold the byte", at, length);
	return length;
}

static size_t string_hex(struct conf_string *string, const char *at, const char *end)
{
	size_t length = 2;

	while (length < 4 && at + length < end && isxdigit((unsigned char)at[length]))
		length++;
	if (length == 2)
		string_problem(string, "bad escape", at, length);
	else if (string_byte(at + 2, length - 2, 16) == 0)
		string_problem(string, "a string cannot hold the byte", at, length);
	return length;
}

/* The length of the escape at at; 0 for a backslash that ends the text. */
static size_t string_escape(struct conf_string *string, const char *at, const char *end)
{
	if (at + 1 >= end)
		return 0;
	if (isdigit((unsigned char)at[1]))
		return string_octal(string, at, end);
	if (at[1] == 'x')
		return string_hex(string, at, end);
	if (strchr("nrtbfaev\\\"'$\n", at[1]) == NULL)
		string_problem(string, "unknown escape", at, 2);
	else if (at[1] == '\n')
		string->line++;
	return 2;
}

/* Whether the variable named by length bytes is set. */
static bool string_variable_is_set(struct conf_string *string, const char *name, size_t length)
{
	return getenv(conf_pool_string(string->pool, name, length)) != NULL;
}

/* The length of "${NAME}" or "${NAME:-default}" at at; 0 where it does not close. */
static size_t string_variable(struct conf_string *string, const char *at, const char *end)
{
	size_t name = 2, length;

	while (at + name < end && (isalnum((unsigned char)at[name]) || at[name] == '_'))
		name++;
	for (length = name; at + length < end && at[length] != '}'; length++) {
		if (at[length] == '\n')
			return 0;
	}
	if (at + length >= end)
		return 0;
	length++;
	if (name == 2 || isdigit((unsigned char)at[2]) ||
		(at[name] != '}' && (at[name] != ':' || at[name + 1] != '-')))
		string_problem(string, "not ${NAME} or ${NAME:-default}:", at, length);
	else if (at[name] == '}' && !string_variable_is_set(string, at + 2, name - 2))
		string_problem(string, "the environment has no variable", at + 2, name - 2);
	return length;
}

/* One step inside "...": how many bytes belong together; 0: the string is broken off. */
static size_t string_step_double(struct conf_string *string, const char *at, const char *end)
{
	if (*at == '\\')
		return string_escape(string, at, end);
	if (*at == '$' && at + 1 < end && at[1] == '{')
		return string_variable(string, at, end);
	return *at == '\n' ? 0 : 1;
}

/* One step inside '...', where a backslash means itself but before ', \ and a line's end. */
static size_t string_step_single(struct conf_string *string, const char *at, const char *end)
{
	if (*at != '\\')
		return *at == '\n' ? 0 : 1;
	if (at + 1 >= end)
		return 0;
	if (at[1] == '\n')
		string->line++;
	return 2;
}

/* Lines may end with CR LF; a backslash must stand right before the LF for libconfuse. */
static const char *string_without_returns(struct conf_pool *pool, const char *text, size_t *length)
{
	char *copy = conf_pool_string(pool, text, *length);
	size_t i, used = 0;

	for (i = 0; i < *length; i++) {
		if (text[i] != '\r')
			copy[used++] = text[i];
	}
	*length = used;
	return copy;
}

int conf_string_scan(struct conf_string *string, const char *start, const char *end)
{
	unsigned first_line = string->line;
	const char *line_end = memchr(start, '\n', (size_t)(end - start));
	const char *at = start + 1;
	size_t step;

	while (at < end && *at != *start) {
		if (end - at > 2 && memcmp(at, "\\\r\n", 3) == 0) {
			string->line++;
			at += 3;
			continue;
		}
		step = *start == '"' ? string_step_double(string, at, end)
				     : string_step_single(string, at, end);
		if (step == 0)
			break;
		at += step;
	}
	if (at >= end || *at != *start) {
		conf_report_add(string->report, CONF_PROBLEM, string->file, first_line,
			"the closing quote of the string that begins here is missing");
		string->line = first_line;
		string->next = line_end == NULL ? end : line_end;
		return -1;
	}
	string->next = at + 1;
	string->text = string->bad ? "\"\"" : start;
	string->length = string->bad ? 2 : (size_t)(string->next - start);
	if (memchr(string->text, '\r', string->length) != NULL)
		string->text = string_without_returns(string->pool, string->text, &string->length);
	return 0;
}

static bool string_is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_./:@%[]";

	return *text != '\0' && text[strspn(text, plain)] == '\0' && strstr(text, "//") == NULL;
}

const char *conf_string_quote(struct conf_pool *pool, const char *text)
{
	static const char letters[] = "n\nr\rt\tb\bf\fa\ae\033v\v\"\"\\\\";
	char *quoted = conf_pool_alloc(pool, 4 * strlen(text) + 3);
	size_t used = 0;

	if (string_is_plain(text))
		return text;
	quoted[used++] = '"';
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		size_t i;

		for (i = 1; i < sizeof(letters) && letters[i] != *text; i += 2)
			;
		if (i < sizeof(letters)) {
			quoted[used++] = '\\';
			quoted[used++] = letters[i - 1];
		} else if (byte < 0x20 || byte == 0x7f) {
			quoted[used++] = '\\';
			quoted[used++] = 'x';
			quoted[used++] = "0123456789abcdef"[byte >> 4];
			quoted[used++] = "0123456789abcdef"[byte & 15];
		} else {
			if (byte == '$' && text[1] == '{')
				quoted[used++] = '\\';
			quoted[used++] = (char)byte;
		}
	}
	quoted[used++] = '"';
	return quoted;
}
