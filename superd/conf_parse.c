/*
 * conf_parse: every option is a string to libconfuse; what it reads goes straight into the
 * tree, and a block's memory goes back as soon as the block is closed.
 *
 * Its callbacks get no pointer of ours.  The one field of an option that it copies with every
 * block but never reads for strings without default, def.number, carries it.
 */
#include "config.h"
#include "superd/conf_parse.h"

#include <confuse.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conf_parser {
	cfg_opt_t *tables[BLOCK_COUNT];
	/* Of the file under way. */
	struct conf_tree *tree;
	const struct conf_file *file;
	struct conf_outline *outline;
	struct conf_section *section; /* the innermost open one */
	struct conf_item *include;    /* the next one to come */
	bool failed;
};

_Static_assert(sizeof(long) >= sizeof(void *), "a long carries a pointer");

static struct conf_parser *parser_of(const cfg_opt_t *option)
{
	return (struct conf_parser *)(intptr_t)option->def.number;
}

/* The hidden first option of a block: which one is open now. */
static int parser_mark_cb(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
	struct conf_parser *parser = parser_of(option);
	size_t number = strtoul(value, NULL, 10);

	(void)cfg;
	if (number < parser->outline->section_count)
		parser->section = parser->outline->sections[number];
	*(const char **)result = "";
	errno = 0;
	return 0;
}

/* One value of an option; libconfuse need not keep it. */
static int parser_value_cb(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
	struct conf_parser *parser = parser_of(option);
	struct conf_setting *setting =
		conf_section_find(parser->section, option->name, strlen(option->name));

	if (setting != NULL)
		conf_setting_add(parser->tree, setting, value, parser->file, (unsigned)cfg->line);
	else
		parser->failed = true;
	*(const char **)result = "";
	errno = 0;
	return 0;
}

/* The pairs of an env block, which come without callbacks, when it is closed. */
static void parser_take_env(struct conf_parser *parser, cfg_t *env)
{
	size_t i;

	for (i = 0; env->opts[i].name != NULL; i++) {
		const cfg_opt_t *option = &env->opts[i];
		struct conf_setting *setting =
			conf_section_find(parser->section, option->name, strlen(option->name));

		if (strcmp(option->name, CONF_OUTLINE_MARK) == 0)
			continue;
		if (setting == NULL || option->nvalues != 1)
			parser->failed = true;
		else
			conf_setting_add(parser->tree, setting, option->values[0]->string,
				parser->file, setting->line);
	}
}

/*
 * A block is closed.  Services are removed from libconfuse at once: it compares each title with
 * those of all blocks it still has, and each has a copy of the whole table.
 */
static int parser_close_cb(cfg_t *cfg, cfg_opt_t *option)
{
	struct conf_parser *parser = parser_of(option);
	unsigned last = cfg_opt_size(option) - 1;

	(void)cfg;
	if (parser->section->block->kind == BLOCK_ENV)
		parser_take_env(parser, cfg_opt_getnsec(option, last));
	parser->section = parser->section->parent;
	if (option->flags & CFGF_MULTI)
		cfg_opt_rmnsec(option, last);
	errno = 0;
	return 0;
}

static int parser_include_cb(cfg_t *cfg, cfg_opt_t *option, int argc, const char **argv)
{
	struct conf_parser *parser = parser_of(option);
	struct conf_item *item = parser->include;

	(void)cfg;
	while (item != NULL && item->section != NULL)
		item = item->next;
	if (item == NULL || argc != 1)
		return 1;
	item->pattern = conf_pool_string(parser->tree->pool, argv[0], strlen(argv[0]));
	parser->include = item->next;
	return 0;
}

/* What libconfuse objects to, in its own words: conf_outline should have found it before. */
static void parser_error_cb(cfg_t *cfg, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void parser_error_cb(cfg_t *cfg, const char *format, va_list args)
{
	struct conf_parser *parser = parser_of(&cfg->opts[0]);
	char text[256];

	/* 3.3 complains of every new name in an env block, and goes on. */
	if (cfg->flags & CFGF_KEYSTRVAL)
		return;
	vsnprintf(text, sizeof(text), format, args);
	conf_report_add(parser->tree->report, CONF_PROBLEM, parser->file, (unsigned)cfg->line,
		"syntax error: %s", text);
}

static cfg_opt_t parser_option(struct conf_parser *parser, const struct conf_option *option)
{
	return (cfg_opt_t){
		.name = option->name,
		.type = CFGT_STR,
		.flags = CFGF_NODEFAULT | (conf_option_is_list(option) ? CFGF_LIST : CFGF_NONE),
		.def.number = (long)(intptr_t)parser,
		.parsecb = parser_value_cb,
	};
}

static cfg_opt_t parser_block(struct conf_parser *parser, const struct conf_block *block)
{
	cfg_flag_t flags = block->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NODEFAULT;

	return (cfg_opt_t){
		.name = block->name,
		.type = CFGT_SEC,
		.flags = block->kind == BLOCK_ENV ? flags | CFGF_KEYSTRVAL : flags,
		.subopts = parser->tables[block->kind],
		.def.number = (long)(intptr_t)parser,
		.validcb = parser_close_cb,
	};
}

/* The table of one kind of block; those of the blocks inside must exist. */
static cfg_opt_t *parser_table(
	struct conf_parser *parser, struct conf_pool *pool, enum conf_block_kind kind)
{
	const struct conf_option *option;
	size_t count = 0, capacity = 0;
	enum conf_block_kind inner;
	cfg_opt_t *table;

	table = conf_pool_grow(pool, NULL, 0, &capacity, sizeof(*table));
	table[count++] = (cfg_opt_t){
		.name = CONF_OUTLINE_MARK,
		.type = CFGT_STR,
		.flags = CFGF_NODEFAULT,
		.def.number = (long)(intptr_t)parser,
		.parsecb = parser_mark_cb,
	};
	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (!conf_option_in(option, kind))
			continue;
		table = conf_pool_grow(pool, table, count, &capacity, sizeof(*table));
		table[count++] = parser_option(parser, option);
	}
	for (inner = BLOCK_TOP + 1; inner < BLOCK_COUNT; inner++) {
		if (!conf_block_inside(conf_block_get(inner), kind))
			continue;
		table = conf_pool_grow(pool, table, count, &capacity, sizeof(*table));
		table[count++] = parser_block(parser, conf_block_get(inner));
	}
	if (kind == BLOCK_TOP) {
		table = conf_pool_grow(pool, table, count, &capacity, sizeof(*table));
		table[count++] = (cfg_opt_t){
			.name = "include",
			.type = CFGT_FUNC,
			.flags = CFGF_NODEFAULT,
			.def.number = (long)(intptr_t)parser,
			.func = parser_include_cb,
		};
	}
	table = conf_pool_grow(pool, table, count, &capacity, sizeof(*table));
	table[count] = (cfg_opt_t){.name = NULL};
	return table;
}

struct conf_parser *conf_parser_new(struct conf_pool *pool)
{
	struct conf_parser *parser = conf_pool_alloc(pool, sizeof(*parser));
	enum conf_block_kind kind;

	/* Inner blocks have the larger numbers but log, which holds no block either. */
	parser->tables[BLOCK_LOG] = parser_table(parser, pool, BLOCK_LOG);
	for (kind = BLOCK_COUNT; kind-- > BLOCK_TOP;)
		parser->tables[kind] = parser_table(parser, pool, kind);
	return parser;
}

/* Whether every value the outline counted has come. */
static bool parser_is_complete(const struct conf_section *section)
{
	const struct conf_setting *setting;

	for (setting = section->first; setting != NULL; setting = setting->next) {
		if (setting->expected != setting->count)
			return false;
	}
	return true;
}

static void parser_check(struct conf_parser *parser, size_t problems)
{
	struct conf_outline *outline = parser->outline;
	const struct conf_item *item;
	size_t i;

	if (!parser_is_complete(parser->tree->top))
		parser->failed = true;
	for (i = 0; i < outline->section_count; i++) {
		if (!parser_is_complete(outline->sections[i]))
			parser->failed = true;
	}
	for (item = outline->first; item != NULL; item = item->next) {
		if (item->section == NULL && item->pattern == NULL)
			parser->failed = true;
	}
	/* Whatever went wrong without a word must not pass for success. */
	if (parser->failed && parser->tree->report->problem_count == problems)
		conf_report_add(parser->tree->report, CONF_PROBLEM, parser->file, 0,
			"syntax error: the file was not read as it is written");
}

void conf_parse(struct conf_parser *parser, struct conf_tree *tree, const struct conf_file *file,
	struct conf_outline *outline)
{
	size_t problems = tree->report->problem_count;
	FILE *stream;
	cfg_t *cfg;

	parser->tree = tree;
	parser->file = file;
	parser->outline = outline;
	parser->section = tree->top;
	parser->include = outline->first;
	parser->failed = false;
	cfg = cfg_init(parser->tables[BLOCK_TOP], CFGF_NONE);
	stream = fmemopen(outline->text, outline->length, "r");
	if (cfg == NULL || stream == NULL) {
		parser->failed = true;
		goto out;
	}
	cfg_set_error_function(cfg, parser_error_cb);
	cfg->filename = strdup(file->name);
	if (cfg_parse_fp(cfg, stream) != CFG_SUCCESS)
		parser->failed = true;
out:
	if (stream != NULL)
		fclose(stream);
	if (cfg != NULL)
		cfg_free(cfg);
	parser_check(parser, problems);
}
