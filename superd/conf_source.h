/*
 * conf_source: all files of a configuration, from the first one through its includes.
 */
#ifndef SUPERD_CONF_SOURCE_H
#define SUPERD_CONF_SOURCE_H

#include "superd/conf_tree.h"

#include <stdbool.h>
#include <stddef.h>

/* How deep includes may go, and how many files there may be. */
#define CONF_INCLUDE_DEPTH 16
#define CONF_FILES_MAX 1000

struct conf_source;

/* Sources that fill tree. */
struct conf_source *conf_source_new(struct conf_tree *tree);

/* Reads the file of that name and all it includes into the tree. */
void conf_source_file(struct conf_source *source, const char *name);

/* The same for text from memory under a name; for the fuzzer. */
void conf_source_text(
	struct conf_source *source, const char *name, const char *text, size_t length);

/* The one service of the command line into the tree; name is what the whole is called. */
void conf_source_single(
	struct conf_source *source, const char *name, const struct conf_single *single);

/* Whether a file, or a part of one, could not be read: what is missing says nothing then. */
bool conf_source_is_incomplete(const struct conf_source *source);

#endif
