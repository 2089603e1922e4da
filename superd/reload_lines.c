/*
 * reload_lines: an array that grows.
 */
#include "config.h"
#include "superd/reload_lines.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more; false where there is none. */
static bool lines_grow(struct reload_lines *lines)
{
	size_t capacity = lines->capacity == 0 ? 16 : 2 * lines->capacity;
	void *grown;

	if (lines->count < lines->capacity)
		return true;
	grown = reallocarray(lines->lines, capacity, sizeof(*lines->lines));
	if (grown == NULL)
		return false;
	lines->lines = grown;
	grown = reallocarray(lines->severities, capacity, sizeof(*lines->severities));
	if (grown == NULL)
		return false;
	lines->severities = grown;
	lines->capacity = capacity;
	return true;
}

void reload_lines_add(
	struct reload_lines *lines, enum conf_severity severity, const char *text, size_t most)
{
	char *copy = NULL;

	if (lines->count < most && lines_grow(lines))
		copy = strdup(text);
	if (copy == NULL) {
		lines->lost++;
		return;
	}
	lines->lines[lines->count] = copy;
	lines->severities[lines->count++] = severity;
}

void reload_lines_clear(struct reload_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	free(lines->lines);
	free(lines->severities);
	*lines = (struct reload_lines){0};
}
