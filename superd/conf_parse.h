/*
 * conf_parse: libconfuse, held on a short leash.  confuse.h is included here only.
 *
 * It is given text that conf_scan and conf_outline found in order, from memory, one file at a
 * time, each with a cfg_t of its own that ends with the file: its scanner is one for the whole
 * process, and what an earlier parse leaves behind would change the next one.
 */
#ifndef SUPERD_CONF_PARSE_H
#define SUPERD_CONF_PARSE_H

#include "superd/conf_outline.h"
#include "superd/conf_tree.h"

/* libconfuse's tables of options, made from the schema once for all files of a load. */
struct conf_parser;

/* Makes the tables; they are pool's. */
struct conf_parser *conf_parser_new(struct conf_pool *pool);

/*
 * Lets libconfuse read outline's text and puts every value into its setting, every pattern into
 * its include.  Where it objects after all, that is a problem in tree's report.
 */
void conf_parse(struct conf_parser *parser, struct conf_tree *tree, const struct conf_file *file,
	struct conf_outline *outline);

#endif
