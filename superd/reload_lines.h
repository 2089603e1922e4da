/*
 * reload_lines: texts that are collected, a bounded number of them.
 */
#ifndef SUPERD_RELOAD_LINES_H
#define SUPERD_RELOAD_LINES_H

#include "superd/conf.h"

#include <stddef.h>

struct reload_lines {
	char **lines;
	enum conf_severity *severities;
	size_t count;
	size_t capacity;
	size_t lost; /* for want of room or memory */
};

/* Adds a copy of text; beyond most lines it is only counted. */
void reload_lines_add(
	struct reload_lines *lines, enum conf_severity severity, const char *text, size_t most);

/* Forgets all of them. */
void reload_lines_clear(struct reload_lines *lines);

#endif
