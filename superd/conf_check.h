/*
 * conf_check: what each value means by itself, whether or not a service ever uses it.
 */
#ifndef SUPERD_CONF_CHECK_H
#define SUPERD_CONF_CHECK_H

#include "superd/conf_ident.h"
#include "superd/conf_network.h"
#include "superd/conf_tree.h"

#include <stdbool.h>

/*
 * Checks every value of tree and fills in its number, endpoint or networks (read by networks);
 * a setting with a problem is marked bad.  incomplete: part of the files could not be read, so that
 * a missing template says nothing.
 */
void conf_check(struct conf_tree *tree, struct conf_ident *ident,
	struct conf_network_reader *networks, bool incomplete);

/*
 * The built-in defaults as sections: the settings a file would need to say them.  They end
 * every chain of inheritance.
 */
struct conf_section *conf_check_builtin(
	struct conf_tree *tree, struct conf_ident *ident, enum conf_block_kind kind);

#endif
