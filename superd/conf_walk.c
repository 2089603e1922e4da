/*
 * conf_walk: the ways to move, to skip and to complain that conf_outline uses.
 */
#include "config.h"
#include "superd/conf_walk.h"
#include "superd/conf_suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct conf_token *walk_peek(const struct conf_walk *walk, size_t ahead)
{
	size_t last = walk->tokens->count - 1;

	return &walk->tokens->list[walk->index + ahead < last ? walk->index + ahead : last];
}

bool walk_is_value(const struct conf_token *token)
{
	return token->kind == TOKEN_WORD || token->kind == TOKEN_STRING;
}

static bool walk_is_opening(const struct conf_token *token)
{
	return token->kind == TOKEN_OPEN || token->kind == TOKEN_LEFT;
}

static bool walk_is_closing(const struct conf_token *token)
{
	return token->kind == TOKEN_CLOSE || token->kind == TOKEN_RIGHT;
}

size_t walk_group_end(const struct conf_walk *walk, size_t index)
{
	size_t depth = 0;

	for (; index < walk->tokens->count - 1; index++) {
		const struct conf_token *token = &walk->tokens->list[index];

		if (walk_is_opening(token))
			depth++;
		else if (walk_is_closing(token) && --depth == 0)
			return index + 1;
	}
	return index;
}

void walk_skip_line(struct conf_walk *walk, unsigned line)
{
	const struct conf_token *token;

	for (;;) {
		token = walk_peek(walk, 0);
		if (token->kind == TOKEN_END || token->line != line || walk_is_closing(token))
			return;
		if (walk_is_opening(token))
			walk->index = walk_group_end(walk, walk->index);
		else
			walk->index++;
	}
}

/* Behind "= value", "= { ... }": the current token is the sign. */
static void walk_skip_value(struct conf_walk *walk)
{
	walk->index++;
	if (walk_is_opening(walk_peek(walk, 0))) {
		walk->index = walk_group_end(walk, walk->index);
		return;
	}
	if (walk_is_value(walk_peek(walk, 0)))
		walk->index++;
	while (walk_peek(walk, 0)->kind == TOKEN_COMMA) {
		walk->index++;
		if (walk_is_value(walk_peek(walk, 0)))
			walk->index++;
	}
}

void walk_skip_statement(struct conf_walk *walk)
{
	const struct conf_token *second = walk_peek(walk, 1), *third = walk_peek(walk, 2);
	unsigned line = walk_peek(walk, 0)->line;

	if (walk_is_opening(walk_peek(walk, 0))) {
		walk->index = walk_group_end(walk, walk->index);
		return;
	}
	if (walk_peek(walk, 0)->kind == TOKEN_END)
		return;
	walk->index++;
	if (second->kind == TOKEN_SET || second->kind == TOKEN_ADD)
		walk_skip_value(walk);
	else if (walk_is_opening(second))
		walk->index = walk_group_end(walk, walk->index);
	else if (walk_is_value(second) && third->kind == TOKEN_OPEN)
		walk->index = walk_group_end(walk, walk->index + 1);
	else
		walk_skip_line(walk, line);
}

void walk_problem(
	struct conf_walk *walk, const struct conf_section *section, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	conf_section_message(walk->tree->report, CONF_PROBLEM, section, NULL, walk->file,
		walk_peek(walk, 0)->line, "%s", text);
}

void walk_unexpected(struct conf_walk *walk, const struct conf_section *section, const char *name,
	const struct conf_token *token)
{
	int length = (int)(token->length < 80 ? token->length : 80);
	const char *hint = "";

	if (walk_is_value(token))
		hint = " (is a comma missing before it?)";
	else if (token->kind != TOKEN_COMMA && name != NULL)
		hint = " (put quotes around a word that contains it)";
	conf_section_message(walk->tree->report, CONF_PROBLEM, section, name, walk->file,
		token->line, "'%.*s' cannot stand here%s", length, token->text, hint);
}

/* Where an option of that name would be right, or NULL. */
static const char *walk_option_home(const struct conf_section *section, const char *name)
{
	const struct conf_option *option;

	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (strcmp(option->name, name) != 0)
			continue;
		switch (option->block) {
		case BLOCK_TOP:
			return "it belongs at the top level";
		case BLOCK_LIMITS:
			return "it belongs in a limits { } block";
		case BLOCK_LOG:
			return "it belongs in a log { } block";
		case BLOCK_ACL:
			return "it belongs in an acl { } block";
		default:
			break;
		}
		if (section->block->kind == BLOCK_TEMPLATE ||
			section->block->kind == BLOCK_DEFAULTS)
			return "it can be set in a service only";
		return option->flags & OPTION_SERVICE_ONLY
			       ? "it belongs in a service { } block"
			       : "it belongs in a service, template or defaults { } block";
	}
	return NULL;
}

static const char *walk_block_home(const char *name)
{
	const struct conf_block *block = conf_block_find(name, strlen(name));

	if (strcmp(name, "include") == 0)
		return "it belongs at the top level";
	if (block == NULL)
		return NULL;
	return conf_block_inside(block, BLOCK_TOP)
		       ? "it belongs at the top level; is a '}' missing before it?"
		       : "it belongs in a service, template or defaults { } block";
}

/* The nearest of all that may stand in section. */
static struct conf_suggest walk_nearest(const struct conf_section *section, const char *name)
{
	struct conf_suggest suggest = conf_suggest_begin(name);
	enum conf_block_kind kind = section->block->kind, inner;
	const struct conf_option *option;

	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (conf_option_in(option, kind))
			conf_suggest_offer(&suggest, option->name);
	}
	for (inner = BLOCK_TOP + 1; inner < BLOCK_COUNT; inner++) {
		if (conf_block_inside(conf_block_get(inner), kind))
			conf_suggest_offer(&suggest, conf_block_get(inner)->name);
	}
	if (kind == BLOCK_TOP)
		conf_suggest_offer(&suggest, "include");
	return suggest;
}

void walk_unknown(struct conf_walk *walk, const struct conf_section *section, const char *name)
{
	const char *home = walk_option_home(section, name);
	char hint[CONF_SUGGEST_SIZE];
	struct conf_suggest suggest;

	if (home == NULL)
		home = walk_block_home(name);
	if (home != NULL) {
		walk_problem(walk, section, "unknown option '%.200s' (%s)", name, home);
	} else {
		suggest = walk_nearest(section, name);
		walk_problem(walk, section, "unknown option '%.200s'%s", name,
			conf_suggest_text(&suggest, hint));
	}
	walk_skip_statement(walk);
}
