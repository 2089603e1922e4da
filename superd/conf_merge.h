/*
 * conf_merge: which setting counts.  A service takes each value from the first of: itself,
 * its templates in the order of `use`, defaults, (log only) the top level, built in.
 */
#ifndef SUPERD_CONF_MERGE_H
#define SUPERD_CONF_MERGE_H

#include "superd/conf_tree.h"

#include <stdbool.h>
#include <stddef.h>

/* Sections from the nearest to the built-in one. */
struct conf_layers {
	const struct conf_section **sections;
	size_t count;
};

/* Where every chain ends. */
struct conf_builtin {
	const struct conf_section *top;
	const struct conf_section *service;
};

/* The layers of the top level. */
struct conf_layers conf_layers_of_top(struct conf_tree *tree, const struct conf_builtin *builtin);

/* The layers of a service; templates that do not exist are passed over. */
struct conf_layers conf_layers_of_service(struct conf_tree *tree,
	const struct conf_builtin *builtin, const struct conf_section *service);

/* The part of a layer that holds the options of block; NULL: it has none. */
const struct conf_section *conf_layer_block(
	const struct conf_section *layer, enum conf_block_kind block);

/* The nearest setting of option, or NULL. */
const struct conf_setting *conf_merge_find(
	const struct conf_layers *layers, const struct conf_option *option);

/* The same by the option's name. */
const struct conf_setting *conf_merge_find_name(
	const struct conf_layers *layers, enum conf_block_kind block, const char *name);

/* Of a list, the nearest setting that gives it a value; NULL: it is empty. */
const struct conf_setting *conf_merge_find_filled(
	const struct conf_layers *layers, const struct conf_option *option);

/* What a list comes to. */
struct conf_list {
	const struct conf_value **values;
	size_t count;
	bool bad; /* a setting it is made of is */
};

/* The effective list: += adds behind what is inherited. */
struct conf_list conf_merge_list(
	struct conf_pool *pool, const struct conf_layers *layers, const struct conf_option *option);

/* The effective env: each name once, the nearest value, in the order of first appearance from
   the farthest layer to the nearest. */
size_t conf_merge_env(struct conf_pool *pool, const struct conf_layers *layers,
	const struct conf_setting ***settings);

#endif
