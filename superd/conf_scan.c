/*
 * conf_scan: one pass from left to right.
 */
#include "config.h"
#include "superd/conf_scan.h"
#include "superd/conf_string.h"

#include <string.h>

/* service { limits { list = { is three; libconfuse recurses, so there is an end to it. */
#define CONF_DEPTH_MAX 16

struct conf_scan {
	struct conf_pool *pool;
	struct conf_report *report;
	const struct conf_file *file;
	const char *at, *end;
	unsigned line;
	struct conf_tokens *tokens;
	size_t capacity;
	bool broken;    /* nothing can be said of the structure */
	bool torn;      /* a quote or comment did not close: brackets are not to be trusted */
	unsigned depth; /* open brackets */
	struct {
		char bracket;
		unsigned line;
	} open[CONF_DEPTH_MAX];
};

static void scan_token(struct conf_scan *scan, enum conf_token_kind kind, const char *text,
	size_t length, unsigned line, bool bad)
{
	struct conf_tokens *tokens = scan->tokens;
	struct conf_token *token;

	tokens->list = conf_pool_grow(
		scan->pool, tokens->list, tokens->count, &scan->capacity, sizeof(*tokens->list));
	token = &tokens->list[tokens->count++];
	*token = (struct conf_token){
		.kind = kind, .bad = bad, .line = line, .text = text, .length = length};
}

/* A token of one or two bytes. */
static void scan_sign(struct conf_scan *scan, enum conf_token_kind kind, size_t length)
{
	scan_token(scan, kind, scan->at, length, scan->line, false);
	scan->at += length;
}

static bool scan_at(const struct conf_scan *scan, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(scan->end - scan->at) >= length && memcmp(scan->at, text, length) == 0;
}

static void scan_problem(struct conf_scan *scan, unsigned line, const char *text)
{
	conf_report_add(scan->report, CONF_PROBLEM, scan->file, line, "%s", text);
}

static void scan_line_comment(struct conf_scan *scan)
{
	while (scan->at < scan->end && *scan->at != '\n')
		scan->at++;
}

static void scan_block_comment(struct conf_scan *scan)
{
	unsigned line = scan->line;

	for (scan->at += 2; scan->at < scan->end; scan->at++) {
		if (scan_at(scan, "*/")) {
			scan->at += 2;
			return;
		}
		if (*scan->at == '\n')
			scan->line++;
	}
	scan_problem(scan, line, "the comment that begins here is never closed");
	scan->broken = scan->torn = true;
}

static void scan_open(struct conf_scan *scan, enum conf_token_kind kind)
{
	if (scan->depth == CONF_DEPTH_MAX) {
		scan_problem(scan, scan->line, "brackets are nested too deeply");
		scan->broken = scan->torn = true;
		scan->at = scan->end;
		return;
	}
	scan->open[scan->depth].bracket = *scan->at;
	scan->open[scan->depth].line = scan->line;
	scan->depth++;
	scan_sign(scan, kind, 1);
}

static void scan_close(struct conf_scan *scan, enum conf_token_kind kind)
{
	char bracket = kind == TOKEN_CLOSE ? '{' : '(';

	if (scan->depth > 0 && scan->open[scan->depth - 1].bracket == bracket) {
		scan->depth--;
	} else if (!scan->torn) {
		conf_report_add(scan->report, CONF_PROBLEM, scan->file, scan->line,
			"'%c' without a matching '%c'", *scan->at, bracket);
		scan->broken = true;
	}
	scan_sign(scan, kind, 1);
}

/* A string in quotes; conf_string knows what may stand in one. */
static void scan_string(struct conf_scan *scan)
{
	struct conf_string string = {
		.pool = scan->pool, .report = scan->report, .file = scan->file, .line = scan->line};
	unsigned line = scan->line;

	if (conf_string_scan(&string, scan->at, scan->end) != 0)
		scan->broken = scan->torn = true;
	else
		scan_token(scan, TOKEN_STRING, string.text, string.length, line, string.bad);
	scan->at = string.next;
	scan->line = string.line;
}

/* What libconfuse takes for a part of a bare word, and ';', which is a blank here. */
static bool scan_is_word(char c)
{
	return strchr(" \t\r\n#\"'={}()+,*;", c) == NULL;
}

/* A word that holds something it must not: told and taken whole, up to the next blank. */
static void scan_bad_word(struct conf_scan *scan, const char *start, const char *what)
{
	while (scan->at < scan->end && strchr(" \t\r\n,;\"'", *scan->at) == NULL &&
		(*what == '$' || strchr("{}()", *scan->at) == NULL))
		scan->at++;
	conf_report_add(scan->report, CONF_PROBLEM, scan->file, scan->line,
		"put quotes around a word that contains '%s': \"%.*s\"", what,
		(int)(scan->at - start < 200 ? scan->at - start : 200), start);
	scan_token(scan, TOKEN_WORD, "x", 1, scan->line, true);
}

static void scan_word(struct conf_scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && scan_is_word(*scan->at))
		scan->at++;
	if (scan->at < scan->end && *scan->at == '*')
		scan_bad_word(scan, start, "*");
	else if (scan_at(scan, "+") && !scan_at(scan, "+="))
		scan_bad_word(scan, start, "+");
	else if (scan_at(scan, "{") && scan->at > start && scan->at[-1] == '$')
		scan_bad_word(scan, start, "${");
	else
		scan_token(scan, TOKEN_WORD, start, (size_t)(scan->at - start), scan->line, false);
}

static void scan_next(struct conf_scan *scan)
{
	switch (*scan->at) {
	case '\n':
		scan->line++;
		scan->at++;
		break;
	case ' ':
	case '\t':
	case '\r':
	case ';':
		scan->at++;
		break;
	case '#':
		scan_line_comment(scan);
		break;
	case '{':
		scan_open(scan, TOKEN_OPEN);
		break;
	case '(':
		scan_open(scan, TOKEN_LEFT);
		break;
	case '}':
		scan_close(scan, TOKEN_CLOSE);
		break;
	case ')':
		scan_close(scan, TOKEN_RIGHT);
		break;
	case '=':
		scan_sign(scan, TOKEN_SET, 1);
		break;
	case ',':
		scan_sign(scan, TOKEN_COMMA, 1);
		break;
	case '"':
	case '\'':
		scan_string(scan);
		break;
	default:
		if (scan_at(scan, "//"))
			scan_line_comment(scan);
		else if (scan_at(scan, "/*"))
			scan_block_comment(scan);
		else if (scan_at(scan, "+="))
			scan_sign(scan, TOKEN_ADD, 2);
		else
			scan_word(scan);
	}
}

/* A byte that no text holds ends the matter: this is no configuration file. */
static int scan_check_bytes(struct conf_scan *scan)
{
	unsigned line = 1;
	const char *at;

	for (at = scan->at; at < scan->end; at++) {
		unsigned char byte = (unsigned char)*at;

		if (byte == '\n')
			line++;
		if (byte == '\n' || byte == '\t' ||
			(byte == '\r' && at + 1 < scan->end && at[1] == '\n'))
			continue;
		if (byte < 0x20 || byte == 0x7f) {
			conf_report_add(scan->report, CONF_PROBLEM, scan->file, line,
				"byte 0x%02x is not text", byte);
			return -1;
		}
	}
	return 0;
}

int conf_scan(struct conf_pool *pool, struct conf_report *report, const struct conf_file *file,
	const char *text, size_t length, struct conf_tokens *tokens)
{
	struct conf_scan scan = {.pool = pool,
		.report = report,
		.file = file,
		.at = text,
		.end = text + length,
		.line = 1,
		.tokens = tokens};

	*tokens = (struct conf_tokens){0};
	if (scan_check_bytes(&scan) != 0)
		return -1;
	if (scan_at(&scan, "\xef\xbb\xbf")) /* a byte order mark */
		scan.at += 3;
	while (scan.at < scan.end)
		scan_next(&scan);
	while (!scan.torn && scan.depth > 0) {
		scan.depth--;
		conf_report_add(report, CONF_PROBLEM, file, scan.open[scan.depth].line,
			"the '%c' opened here is never closed", scan.open[scan.depth].bracket);
		scan.broken = true;
	}
	scan_token(&scan, TOKEN_END, scan.end, 0, scan.line, false);
	return scan.broken ? -1 : 0;
}
