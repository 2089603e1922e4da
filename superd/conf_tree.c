/*
 * conf_tree: building blocks, and messages that say where in the tree something is.
 */
#include "config.h"
#include "superd/conf_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Longest text of one problem without its context. */
#define CONF_TEXT_SIZE 768

void conf_tree_init(struct conf_tree *tree, struct conf_pool *pool, struct conf_report *report)
{
	*tree = (struct conf_tree){.pool = pool, .report = report};
	tree->services.by_title.pool = pool;
	tree->templates.by_title.pool = pool;
	tree->top = conf_section_new(tree, conf_block_get(BLOCK_TOP), NULL, NULL, 0);
}

struct conf_section *conf_section_new(struct conf_tree *tree, const struct conf_block *block,
	struct conf_section *parent, const struct conf_file *file, unsigned line)
{
	struct conf_section *section = conf_pool_alloc(tree->pool, sizeof(*section));

	section->block = block;
	section->parent = parent;
	section->file = conf_file_origin(file, &line);
	section->line = line;
	return section;
}

struct conf_setting *conf_setting_new(struct conf_tree *tree, struct conf_section *section,
	const struct conf_option *option, const char *name, const struct conf_file *file,
	unsigned line)
{
	struct conf_setting *setting = conf_pool_alloc(tree->pool, sizeof(*setting));

	setting->option = option;
	setting->name = name;
	setting->section = section;
	setting->file = conf_file_origin(file, &line);
	setting->line = line;
	if (section->last == NULL)
		section->first = setting;
	else
		section->last->next = setting;
	section->last = setting;
	section->setting_count++;
	return setting;
}

void conf_setting_add(struct conf_tree *tree, struct conf_setting *setting, const char *text,
	const struct conf_file *file, unsigned line)
{
	struct conf_value value = {.file = conf_file_origin(file, &line)};

	value.line = line;
	value.text = conf_pool_string(tree->pool, text, strlen(text));
	setting->values = conf_pool_grow(tree->pool, setting->values, setting->count,
		&setting->capacity, sizeof(*setting->values));
	setting->values[setting->count++] = value;
}

struct conf_setting *conf_section_find(
	const struct conf_section *section, const char *name, size_t length)
{
	struct conf_setting *setting;

	for (setting = section->first; setting != NULL; setting = setting->next) {
		if (strncmp(setting->name, name, length) == 0 && setting->name[length] == '\0')
			return setting;
	}
	return NULL;
}

void conf_sections_add(
	struct conf_tree *tree, struct conf_sections *sections, struct conf_section *section)
{
	const struct conf_section *earlier;

	sections->seen++;
	if (section->bad)
		return;
	earlier = conf_sections_find(sections, section->title);
	if (earlier != NULL) {
		conf_report_add(tree->report, CONF_PROBLEM, section->file, section->line,
			"%s \"%s\" is defined twice (first in %s:%u)", section->block->name,
			section->title, earlier->file->name, earlier->line);
		return;
	}
	sections->list = conf_pool_grow(tree->pool, sections->list, sections->count,
		&sections->capacity, sizeof(struct conf_section *));
	sections->list[sections->count++] = section;
	conf_map_put(&sections->by_title, section->title, strlen(section->title), section);
}

struct conf_section *conf_sections_find(const struct conf_sections *sections, const char *title)
{
	return conf_map_get(&sections->by_title, title, strlen(title));
}

/* 'service "echo": limits: ' for section, nothing for the top level. */
static size_t conf_section_context(const struct conf_section *section, char *text, size_t size)
{
	size_t used;
	int length;

	if (section->parent == NULL)
		return 0;
	used = conf_section_context(section->parent, text, size);
	if (section->title != NULL)
		length = snprintf(text + used, size - used, "%s \"%s\": ", section->block->name,
			section->title);
	else
		length = snprintf(text + used, size - used, "%s: ", section->block->name);
	used += length < 0 ? 0 : (size_t)length;
	return used < size ? used : size - 1;
}

static void conf_message_va(struct conf_report *report, enum conf_severity severity,
	const struct conf_section *section, const char *name, const struct conf_file *file,
	unsigned line, const char *format, va_list args) __attribute__((format(printf, 7, 0)));

static void conf_message_va(struct conf_report *report, enum conf_severity severity,
	const struct conf_section *section, const char *name, const struct conf_file *file,
	unsigned line, const char *format, va_list args)
{
	char context[256] = "", text[CONF_TEXT_SIZE];

	conf_section_context(section, context, sizeof(context));
	vsnprintf(text, sizeof(text), format, args);
	conf_report_add(report, severity, file, line, "%s%s%s%s", context, name == NULL ? "" : name,
		name == NULL ? "" : ": ", text);
}

void conf_section_message(struct conf_report *report, enum conf_severity severity,
	const struct conf_section *section, const char *name, const struct conf_file *file,
	unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	conf_message_va(report, severity, section, name, file, line, format, args);
	va_end(args);
}

void conf_setting_problem(
	struct conf_report *report, const struct conf_setting *setting, const char *format, ...)
{
	unsigned line = setting->count > 0 ? setting->values[0].line : setting->line;
	va_list args;

	va_start(args, format);
	conf_message_va(report, CONF_PROBLEM, setting->section, setting->name, setting->file, line,
		format, args);
	va_end(args);
}

void conf_value_problem(struct conf_report *report, const struct conf_setting *setting,
	const struct conf_value *value, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	conf_message_va(report, CONF_PROBLEM, setting->section, setting->name, value->file,
		value->line, format, args);
	va_end(args);
}
