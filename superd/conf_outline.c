/*
 * conf_outline: statement by statement.  After a problem the walk goes on behind the statement,
 * so that one run names every problem.
 */
#include "config.h"
#include "superd/conf_outline.h"
#include "superd/conf_value.h"
#include "superd/conf_walk.h"

#include <stdio.h>
#include <string.h>

/* NAME of service and template. */
#define CONF_NAME_MAX 64

/* --- the text for libconfuse --------------------------------------------------------------- */

static void outline_write(struct conf_walk *walk, const char *text, size_t length)
{
	struct conf_outline *outline = walk->outline;
	size_t i;

	for (i = 0; i < length; i++) {
		outline->text = conf_pool_grow(
			walk->tree->pool, outline->text, outline->length, &outline->capacity, 1);
		outline->text[outline->length++] = text[i];
		outline->line += text[i] == '\n';
	}
}

/* Writes the tokens from index begin up to the current one, each on its own line number. */
static void outline_emit(struct conf_walk *walk, size_t begin)
{
	for (; begin < walk->index; begin++) {
		const struct conf_token *token = &walk->tokens->list[begin];

		while (walk->outline->line < token->line)
			outline_write(walk, "\n", 1);
		outline_write(walk, token->text, token->length);
		outline_write(walk, " ", 1);
	}
}

/* --- settings ------------------------------------------------------------------------------ */

static void outline_twice(struct conf_walk *walk, const struct conf_section *section,
	const char *name, const struct conf_file *file, unsigned line)
{
	if (file == walk->file)
		walk_problem(walk, section, "%s is set twice (first on line %u)", name, line);
	else
		walk_problem(
			walk, section, "%s is set twice (first in %s:%u)", name, file->name, line);
}

/* Whether name may be set here; the current token is the name. */
static bool outline_may_set(struct conf_walk *walk, const struct conf_section *section,
	const struct conf_option *option, const char *name)
{
	const struct conf_token *sign = walk_peek(walk, 1);
	const struct conf_setting *earlier = conf_section_find(section, name, strlen(name));

	if (sign->kind == TOKEN_OPEN && option != NULL)
		walk_problem(walk, section, "%s is no block: write %s = ...", name, name);
	else if (sign->kind != TOKEN_SET && sign->kind != TOKEN_ADD)
		walk_problem(walk, section, "'=' is missing after '%s'", name);
	else if (earlier != NULL)
		outline_twice(walk, section, name, earlier->file, earlier->line);
	else if (sign->kind == TOKEN_ADD && (option == NULL || !conf_option_is_list(option)))
		walk_problem(walk, section, "%s takes one value; '+=' is for lists", name);
	else if (option == NULL && !conf_is_variable(name))
		walk_problem(walk, section, "'%s' is no name of a variable", name);
	else if (option == NULL && section->setting_count >= CONF_ENV_MAX)
		walk_problem(walk, section, "more than %d variables", CONF_ENV_MAX);
	else
		return true;
	return false;
}

/* The elements of a list; the current token is its '{'. */
static int outline_list(struct conf_walk *walk, struct conf_setting *setting)
{
	size_t end = walk_group_end(walk, walk->index);
	const struct conf_token *token;

	walk->index++;
	while (walk_peek(walk, 0)->kind != TOKEN_CLOSE) {
		token = walk_peek(walk, 0);
		if (!walk_is_value(token)) {
			walk_unexpected(walk, setting->section, setting->name, token);
			break;
		}
		setting->expected++;
		setting->bad |= token->bad;
		walk->index++;
		token = walk_peek(walk, 0);
		if (token->kind == TOKEN_COMMA)
			walk->index++;
		else if (token->kind != TOKEN_CLOSE) {
			walk_unexpected(walk, setting->section, setting->name, token);
			break;
		}
	}
	token = walk_peek(walk, 0);
	walk->index = end;
	return token->kind == TOKEN_CLOSE ? 0 : -1;
}

/* Words after the one value of a setting: a list without braces, or a command line. */
static bool outline_has_more(const struct conf_walk *walk, unsigned line)
{
	const struct conf_token *token = walk_peek(walk, 0), *next = walk_peek(walk, 1);

	if (token->kind == TOKEN_COMMA)
		return true;
	if (!walk_is_value(token) || token->line != line)
		return false;
	if (walk_is_value(next) && next->line == line)
		next = walk_peek(walk, 2);
	return next->kind != TOKEN_SET && next->kind != TOKEN_ADD && next->kind != TOKEN_OPEN &&
	       next->kind != TOKEN_LEFT;
}

/* Whether the current token is no value any more but the name of the next statement. */
static bool outline_is_next_name(const struct conf_walk *walk)
{
	const struct conf_token *token = walk_peek(walk, 0), *next = walk_peek(walk, 1);

	return token->kind == TOKEN_WORD && token->line != token[-1].line &&
	       (next->kind == TOKEN_SET || next->kind == TOKEN_ADD);
}

/* What stands behind the sign; leaves the walk behind the statement in every case. */
static int outline_values(struct conf_walk *walk, struct conf_setting *setting)
{
	const struct conf_section *section = setting->section;
	const struct conf_token *token = walk_peek(walk, 0);
	bool list = setting->option != NULL && conf_option_is_list(setting->option);

	if (token->kind == TOKEN_OPEN && list)
		return outline_list(walk, setting);
	if (token->kind == TOKEN_OPEN) {
		walk_problem(walk, section, "%s takes one value, not a list", setting->name);
		walk->index = walk_group_end(walk, walk->index);
		return -1;
	}
	if (!walk_is_value(token) || outline_is_next_name(walk)) {
		conf_section_message(walk->tree->report, CONF_PROBLEM, section, NULL, walk->file,
			setting->line, "the value of %s is missing", setting->name);
		return -1;
	}
	setting->expected = 1;
	setting->bad |= token->bad;
	walk->index++;
	if (!outline_has_more(walk, token->line))
		return 0;
	if (list)
		walk_problem(walk, section, "%s: write a list in braces: %s = { %.*s, ... }",
			setting->name, setting->name, (int)token->length, token->text);
	else
		walk_problem(walk, section,
			"%s takes one value (put quotes around one that contains blanks)",
			setting->name);
	walk_skip_line(walk, token->line);
	return -1;
}

static void outline_setting(struct conf_walk *walk, struct conf_section *section,
	const struct conf_option *option, const char *name)
{
	bool may = outline_may_set(walk, section, option, name);
	size_t begin = walk->index;
	struct conf_setting *setting;

	if (!may && (option == NULL || conf_section_find(section, name, strlen(name)) != NULL)) {
		walk_skip_statement(walk);
		return;
	}
	setting = conf_setting_new(
		walk->tree, section, option, name, walk->file, walk_peek(walk, 0)->line);
	if (!may) {
		/* Something was meant for it: it does not count as missing. */
		setting->bad = true;
		walk_skip_statement(walk);
		return;
	}
	setting->add = walk_peek(walk, 1)->kind == TOKEN_ADD;
	walk->index += 2;
	if (outline_values(walk, setting) != 0) {
		setting->bad = true;
		setting->expected = 0;
		return;
	}
	outline_emit(walk, begin);
}

/* --- blocks -------------------------------------------------------------------------------- */

static bool outline_is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.+@";
	size_t length = strlen(name);

	return length >= 1 && length <= CONF_NAME_MAX && name[strspn(name, allowed)] == '\0';
}

/* Whether the statement has a block's form; the current token is the block's name. */
static bool outline_may_open(
	struct conf_walk *walk, const struct conf_section *section, const struct conf_block *block)
{
	const struct conf_token *second = walk_peek(walk, 1), *third = walk_peek(walk, 2);
	bool titled = walk_is_value(second);
	const struct conf_section *earlier = section->inner[block->kind];

	if (second->kind == TOKEN_SET || second->kind == TOKEN_ADD)
		walk_problem(walk, section, "%s is a block: write %s%s { ... }", block->name,
			block->name, block->titled ? " NAME" : "");
	else if ((titled ? third : second)->kind != TOKEN_OPEN)
		walk_problem(walk, section, "'{' is missing after '%s'", block->name);
	else if (titled && !block->titled)
		walk_problem(walk, section, "%s takes no name: write %s { ... }", block->name,
			block->name);
	else if (!titled && block->titled)
		walk_problem(
			walk, section, "the name is missing: write %s NAME { ... }", block->name);
	else if (!titled && earlier != NULL)
		outline_twice(walk, section, block->name, earlier->file, earlier->line);
	else
		return true;
	return false;
}

static void outline_add_item(struct conf_walk *walk, struct conf_section *section, unsigned line)
{
	struct conf_item *item = conf_pool_alloc(walk->tree->pool, sizeof(*item));

	item->section = section;
	item->line = line;
	if (walk->outline->last == NULL)
		walk->outline->first = item;
	else
		walk->outline->last->next = item;
	walk->outline->last = item;
}

static void outline_title(
	struct conf_walk *walk, struct conf_section *section, const struct conf_token *token)
{
	size_t quotes = token->kind == TOKEN_STRING ? 1 : 0;

	section->title = conf_pool_string(
		walk->tree->pool, token->text + quotes, token->length - 2 * quotes);
	outline_add_item(walk, section, section->line);
	section->bad = token->bad;
	if (token->bad || outline_is_name(section->title))
		return;
	section->bad = true;
	conf_report_add(walk->tree->report, CONF_PROBLEM, walk->file, section->line,
		"'%s' is no name for a %s (1 to %d of A-Z a-z 0-9 - _ . + @)", section->title,
		section->block->name, CONF_NAME_MAX);
}

static void outline_body(struct conf_walk *walk, struct conf_section *section);

static void outline_block(
	struct conf_walk *walk, struct conf_section *outer, const struct conf_block *block)
{
	struct conf_outline *outline = walk->outline;
	size_t begin = walk->index;
	struct conf_section *section;
	char mark[64];

	if (!outline_may_open(walk, outer, block)) {
		walk_skip_statement(walk);
		return;
	}
	section = conf_section_new(walk->tree, block, outer, walk->file, walk_peek(walk, 0)->line);
	if (block->titled)
		outline_title(walk, section, walk_peek(walk, 1));
	else
		outer->inner[block->kind] = section;
	walk->index += block->titled ? 3 : 2;
	outline_emit(walk, begin);
	outline->sections = conf_pool_grow(walk->tree->pool, outline->sections,
		outline->section_count, &outline->section_capacity, sizeof(section));
	outline_write(walk, mark,
		(size_t)snprintf(mark, sizeof(mark), "%s = %zu ", CONF_OUTLINE_MARK,
			outline->section_count));
	outline->sections[outline->section_count++] = section;
	outline_body(walk, section);
	begin = walk->index++;
	outline_emit(walk, begin);
}

/* --- the rest ------------------------------------------------------------------------------ */

static void outline_include(struct conf_walk *walk, const struct conf_section *section)
{
	const struct conf_token *pattern = walk_peek(walk, 2);
	size_t begin = walk->index;

	if (walk_peek(walk, 1)->kind != TOKEN_LEFT || !walk_is_value(pattern) ||
		walk_peek(walk, 3)->kind != TOKEN_RIGHT) {
		walk_problem(walk, section, "write include(\"FILE\") or include(\"PATTERN\")");
		walk_skip_statement(walk);
		return;
	}
	walk->index += 4;
	if (pattern->bad)
		return;
	outline_add_item(walk, NULL, walk->tokens->list[begin].line);
	outline_emit(walk, begin);
}

static void outline_statement(struct conf_walk *walk, struct conf_section *section)
{
	const struct conf_token *token = walk_peek(walk, 0);
	enum conf_block_kind kind = section->block->kind;
	const struct conf_option *option;
	const struct conf_block *block;
	const char *name;

	if (token->kind != TOKEN_WORD) {
		if (token->kind == TOKEN_STRING)
			walk_problem(walk, section, "a name is written without quotes: %.*s",
				(int)(token->length < 80 ? token->length : 80), token->text);
		else
			walk_unexpected(walk, section, NULL, token);
		walk_skip_statement(walk);
		return;
	}
	if (token->bad) {
		walk_skip_statement(walk);
		return;
	}
	name = conf_pool_string(walk->tree->pool, token->text, token->length);
	option = conf_schema_find(kind, name, token->length);
	block = conf_block_find(name, token->length);
	if (option != NULL || kind == BLOCK_ENV)
		outline_setting(walk, section, option, name);
	else if (block != NULL && conf_block_inside(block, kind))
		outline_block(walk, section, block);
	else if (kind == BLOCK_TOP && strcmp(name, "include") == 0)
		outline_include(walk, section);
	else
		walk_unknown(walk, section, name);
}

/* All statements up to the closing brace or the end of the file, which is left to the caller. */
static void outline_body(struct conf_walk *walk, struct conf_section *section)
{
	while (walk_peek(walk, 0)->kind != TOKEN_CLOSE && walk_peek(walk, 0)->kind != TOKEN_END)
		outline_statement(walk, section);
}

void conf_outline_make(struct conf_tree *tree, const struct conf_file *file,
	const struct conf_tokens *tokens, struct conf_outline *outline)
{
	struct conf_walk walk = {.tree = tree, .file = file, .tokens = tokens, .outline = outline};

	*outline = (struct conf_outline){.line = 1};
	outline_body(&walk, tree->top);
	outline_write(&walk, "\n", 1);
}
