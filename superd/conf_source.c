/*
 * conf_source: a file is read to its end before its includes are, in the order they stand in,
 * so that libconfuse never has two files open.
 */
#include "config.h"
#include "superd/conf_source.h"
#include "superd/conf_file.h"
#include "superd/conf_outline.h"
#include "superd/conf_parse.h"
#include "superd/conf_scan.h"
#include "superd/conf_single.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* A file, and the one it was included from. */
struct source_file {
	struct conf_file file; /* first: messages point at it */
	const struct source_file *includer;
	unsigned depth;
	dev_t device;
	ino_t inode;
};

struct conf_source {
	struct conf_tree *tree;
	struct conf_parser *parser;
	unsigned file_count;
	bool incomplete;
};

struct conf_source *conf_source_new(struct conf_tree *tree)
{
	struct conf_source *source = conf_pool_alloc(tree->pool, sizeof(*source));

	source->tree = tree;
	source->parser = conf_parser_new(tree->pool);
	return source;
}

bool conf_source_is_incomplete(const struct conf_source *source)
{
	return source->incomplete;
}

/* A problem with reading name, at the include it comes from. */
static void source_problem(struct conf_source *source, const struct source_file *includer,
	unsigned line, const char *name, const char *text)
{
	source->incomplete = true;
	if (includer == NULL)
		conf_report_add(source->tree->report, CONF_PROBLEM, NULL, 0, "%s: %s", name, text);
	else
		conf_report_add(source->tree->report, CONF_PROBLEM, &includer->file, line,
			"include: %s: %s", name, text);
}

/* What is wrong with the main file itself, which is there and could be read. */
static void source_unfit(
	struct conf_source *source, const struct source_file *file, const char *text)
{
	source->incomplete = true;
	conf_report_add(source->tree->report, CONF_PROBLEM, &file->file, 0, "%s", text);
}

/* Whether the file is being read already, further up. */
static bool source_is_cycle(const struct source_file *file, const struct conf_text *text)
{
	for (; file != NULL; file = file->includer) {
		if (file->device == text->device && file->inode == text->inode)
			return true;
	}
	return false;
}

static void source_read(struct conf_source *source, const struct source_file *includer,
	unsigned line, const char *name);

/* name as seen from the folder of the file that names it; for_glob: with its letters escaped. */
static const char *source_relative(
	struct conf_pool *pool, const struct source_file *includer, const char *name, bool for_glob)
{
	const char *base = includer->file.name;
	const char *slash = strrchr(base, '/');
	size_t used = 0, i, length = slash == NULL ? 0 : (size_t)(slash - base) + 1;
	char *path;

	if (*name == '/')
		return name;
	path = conf_pool_alloc(pool, 2 * length + strlen(name) + 1);
	for (i = 0; i < length; i++) {
		if (for_glob && strchr("*?[\\", base[i]) != NULL)
			path[used++] = '\\';
		path[used++] = base[i];
	}
	memcpy(path + used, name, strlen(name));
	return path;
}

/* For glob(3): a folder that does not exist has no files; anything else is a problem. */
static int source_glob_error_cb(const char *path, int code)
{
	(void)path;
	return code != ENOENT && code != ENOTDIR;
}

/* All files that match, sorted; none is fine. */
static void source_include_pattern(
	struct conf_source *source, const struct source_file *file, const struct conf_item *item)
{
	struct conf_pool *pool = source->tree->pool;
	glob_t found = {0};
	size_t i;
	int rc;

	rc = glob(
		source_relative(pool, file, item->pattern, true), 0, source_glob_error_cb, &found);
	if (rc != 0 && rc != GLOB_NOMATCH)
		source_problem(source, file, item->line, item->pattern, "cannot read the folder");
	for (i = 0; rc == 0 && i < found.gl_pathc; i++)
		source_read(source, file, item->line,
			conf_pool_string(pool, found.gl_pathv[i], strlen(found.gl_pathv[i])));
	globfree(&found);
}

static void source_include(
	struct conf_source *source, const struct source_file *file, const struct conf_item *item)
{
	if (item->pattern == NULL)
		return;
	if (*item->pattern == '\0')
		source_problem(source, file, item->line, "\"\"", "an empty name");
	else if (strpbrk(item->pattern, "*?[") != NULL)
		source_include_pattern(source, file, item);
	else
		source_read(source, file, item->line,
			source_relative(source->tree->pool, file, item->pattern, false));
}

/* What one file says, then what it includes. */
static void source_take(
	struct conf_source *source, struct source_file *file, const char *text, size_t length)
{
	struct conf_tree *tree = source->tree;
	struct conf_outline outline;
	struct conf_tokens tokens;
	struct conf_item *item;
	size_t problems;

	file->file.order = source->file_count++;
	if (conf_scan(tree->pool, tree->report, &file->file, text, length, &tokens) != 0) {
		source->incomplete = true;
		return;
	}
	conf_outline_make(tree, &file->file, &tokens, &outline);
	problems = tree->report->problem_count;
	conf_parse(source->parser, tree, &file->file, &outline);
	if (tree->report->problem_count != problems)
		source->incomplete = true;
	for (item = outline.first; item != NULL; item = item->next) {
		if (item->section == NULL)
			source_include(source, file, item);
		else if (item->section->block->kind == BLOCK_SERVICE)
			conf_sections_add(tree, &tree->services, item->section);
		else
			conf_sections_add(tree, &tree->templates, item->section);
	}
}

static struct source_file *source_file_new(
	struct conf_source *source, const struct source_file *includer, const char *name)
{
	struct source_file *file = conf_pool_alloc(source->tree->pool, sizeof(*file));

	file->file.name = name;
	file->includer = includer;
	file->depth = includer == NULL ? 0 : includer->depth + 1;
	return file;
}

static void source_read(struct conf_source *source, const struct source_file *includer,
	unsigned line, const char *name)
{
	struct source_file *file = source_file_new(source, includer, name);
	char limit[64];
	struct conf_text text;
	struct error error;

	if (file->depth > CONF_INCLUDE_DEPTH) {
		snprintf(limit, sizeof(limit), "includes go deeper than %d", CONF_INCLUDE_DEPTH);
		source_problem(source, includer, line, name, limit);
	} else if (source->file_count >= CONF_FILES_MAX) {
		snprintf(limit, sizeof(limit), "more than %d files", CONF_FILES_MAX);
		source_problem(source, includer, line, name, limit);
	} else if (conf_file_read(source->tree->pool, name, &text, &error) != 0) {
		if (includer == NULL && error.code == 0)
			source_unfit(source, file, error.text);
		else
			source_problem(source, includer, line, name, error.text);
	} else if (source_is_cycle(includer, &text)) {
		source->incomplete = true;
		conf_report_add(source->tree->report, CONF_PROBLEM, &includer->file, line,
			"%s includes itself", name);
	} else {
		file->device = text.device;
		file->inode = text.inode;
		source_take(source, file, text.bytes, text.length);
	}
}

void conf_source_file(struct conf_source *source, const char *name)
{
	source_read(source, NULL, 0, name);
}

void conf_source_text(struct conf_source *source, const char *name, const char *text, size_t length)
{
	source_take(source, source_file_new(source, NULL, name), text, length);
}

void conf_source_single(
	struct conf_source *source, const char *name, const struct conf_single *single)
{
	struct conf_pool *pool = source->tree->pool;
	struct source_file *file = source_file_new(source, NULL, name);
	struct conf_single_text *made = conf_pool_alloc(pool, sizeof(*made));
	struct conf_tokens tokens;

	conf_single_make(pool, single, made);
	/* By itself first: nothing in it may close the block that it is put into. */
	if (conf_scan(pool, source->tree->report, &made->parts[SINGLE_SET].file, made->set,
		    strlen(made->set), &tokens) != 0) {
		source->incomplete = true;
		return;
	}
	file->file.parts = made->parts;
	file->file.part_count = SINGLE_PARTS;
	source_take(source, file, made->text, strlen(made->text));
}
