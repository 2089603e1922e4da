/*
 * conf_tree: what the files say, with the place of everything: blocks, settings, values.
 *
 * conf_outline makes blocks and settings, conf_parse fills in the values, conf_check gives them
 * a meaning, conf_merge finds what counts for a service.
 */
#ifndef SUPERD_CONF_TREE_H
#define SUPERD_CONF_TREE_H

#include "superd/conf_map.h"
#include "superd/conf_pool.h"
#include "superd/conf_report.h"
#include "superd/conf_schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_value {
	const char *text; /* decoded: escapes and ${} are gone */
	const struct conf_file *file;
	unsigned line;
	int64_t number;                       /* what the text means, for kinds that are numbers */
	struct conf_endpoint *endpoint;       /* for KIND_ENDPOINTS */
	const struct conf_networks *networks; /* for KIND_NETWORKS */
};

/* name = value, name += { value, ... } */
struct conf_setting {
	struct conf_setting *next;
	const struct conf_option *option; /* NULL in env */
	const char *name;
	const struct conf_section *section;
	const struct conf_file *file; /* NULL: built in */
	unsigned line;
	bool add;        /* += */
	bool bad;        /* a problem was told: not to be looked at further */
	size_t expected; /* values that the outline counted */
	size_t count;
	size_t capacity;
	struct conf_value *values;
};

struct conf_section {
	const struct conf_block *block;
	const char *title;            /* of service and template */
	const struct conf_file *file; /* NULL: built in */
	unsigned line;
	struct conf_section *parent; /* NULL: the top level */
	struct conf_setting *first, *last;
	size_t setting_count;
	struct conf_section *inner[BLOCK_COUNT]; /* its untitled blocks, by kind */
	bool bad;                                /* its title is */
	unsigned used_by; /* a template: number of the last service seen to use it */
};

/* Sections in the order they were written, by title. */
struct conf_sections {
	struct conf_section **list;
	size_t count;
	size_t capacity;
	size_t seen; /* with those that were left out for a problem */
	struct conf_map by_title;
};

struct conf_tree {
	struct conf_pool *pool;
	struct conf_report *report;
	struct conf_section *top; /* of all files together */
	struct conf_sections templates;
	struct conf_sections services;
};

/* An empty tree. */
void conf_tree_init(struct conf_tree *tree, struct conf_pool *pool, struct conf_report *report);

/* A new section; it is not yet part of parent. */
struct conf_section *conf_section_new(struct conf_tree *tree, const struct conf_block *block,
	struct conf_section *parent, const struct conf_file *file, unsigned line);

/* A new setting at the end of section; option NULL in env. */
struct conf_setting *conf_setting_new(struct conf_tree *tree, struct conf_section *section,
	const struct conf_option *option, const char *name, const struct conf_file *file,
	unsigned line);

/* One more value. */
void conf_setting_add(struct conf_tree *tree, struct conf_setting *setting, const char *text,
	const struct conf_file *file, unsigned line);

/* The setting of that name in section itself, or NULL. */
struct conf_setting *conf_section_find(
	const struct conf_section *section, const char *name, size_t length);

/*
 * Adds a service or template; where its title is taken already, that is a problem, and it is
 * left out.
 */
void conf_sections_add(
	struct conf_tree *tree, struct conf_sections *sections, struct conf_section *section);

/* The section of that title, or NULL. */
struct conf_section *conf_sections_find(const struct conf_sections *sections, const char *title);

/*
 * A problem or warning about section, or about name in it (may be NULL):
 * 'FILE:LINE: service "echo": limits: cpu: TEXT'.
 */
void conf_section_message(struct conf_report *report, enum conf_severity severity,
	const struct conf_section *section, const char *name, const struct conf_file *file,
	unsigned line, const char *format, ...) __attribute__((format(printf, 7, 8)));

/* The same about a setting, at the line of its first value. */
void conf_setting_problem(struct conf_report *report, const struct conf_setting *setting,
	const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same about one of its values. */
void conf_value_problem(struct conf_report *report, const struct conf_setting *setting,
	const struct conf_value *value, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
