/*
 * conf_outline: from tokens to the blocks and settings of one file, and the text that
 * libconfuse is given.
 *
 * libconfuse stops at the first thing it does not like, lets an option be set twice, forgets
 * where a block began, whether a list was appended to, and that it was set at all when it is
 * empty.  The outline keeps all that, tells every statement that cannot stand, and leaves it
 * out of the text.
 */
#ifndef SUPERD_CONF_OUTLINE_H
#define SUPERD_CONF_OUTLINE_H

#include "superd/conf_scan.h"
#include "superd/conf_tree.h"

#include <stddef.h>

/* The hidden option that stands first in every block of the text: its number in sections. */
#define CONF_OUTLINE_MARK "@"

/* Names a single env block may hold; libconfuse looks each one up in a list. */
#define CONF_ENV_MAX 1000

/* What stands at the top level of a file and counts by its order. */
struct conf_item {
	struct conf_item *next;
	struct conf_section *section; /* a service or template, or NULL: an include */
	unsigned line;
	const char *pattern; /* what is included; conf_parse fills it in */
};

struct conf_outline {
	struct conf_item *first, *last;
	struct conf_section **sections; /* all blocks of the file */
	size_t section_count;
	size_t section_capacity;
	char *text;
	size_t length;
	size_t capacity;
	unsigned line; /* of the end of text */
};

/* Makes *outline and the sections and settings in tree; problems go to tree's report. */
void conf_outline_make(struct conf_tree *tree, const struct conf_file *file,
	const struct conf_tokens *tokens, struct conf_outline *outline);

#endif
