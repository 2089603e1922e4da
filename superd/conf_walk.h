/*
 * conf_walk: moving over the tokens of a file, and what is said of those that stand wrong.
 */
#ifndef SUPERD_CONF_WALK_H
#define SUPERD_CONF_WALK_H

#include "superd/conf_scan.h"
#include "superd/conf_tree.h"

#include <stdbool.h>
#include <stddef.h>

struct conf_walk {
	struct conf_tree *tree;
	const struct conf_file *file;
	const struct conf_tokens *tokens; /* brackets are balanced */
	size_t index;                     /* of the current one */
	struct conf_outline *outline;
};

/* The token ahead behind the current one; the last one, TOKEN_END, goes on for ever. */
const struct conf_token *walk_peek(const struct conf_walk *walk, size_t ahead);

/* A word or a string. */
bool walk_is_value(const struct conf_token *token);

/* The index behind the bracket that closes the one at index. */
size_t walk_group_end(const struct conf_walk *walk, size_t index);

/* Goes behind the statement that begins at the current token. */
void walk_skip_statement(struct conf_walk *walk);

/* Goes behind what is left of a statement on line; groups are passed as a whole. */
void walk_skip_line(struct conf_walk *walk, unsigned line);

/* A problem of section at the current token. */
void walk_problem(struct conf_walk *walk, const struct conf_section *section, const char *format,
	...) __attribute__((format(printf, 3, 4)));

/* token cannot stand where it does; name (may be NULL) is being set. */
void walk_unexpected(struct conf_walk *walk, const struct conf_section *section, const char *name,
	const struct conf_token *token);

/* Tells that name is nothing section knows, with what was probably meant; skips the statement. */
void walk_unknown(struct conf_walk *walk, const struct conf_section *section, const char *name);

#endif
