/*
 * conf_single: one service from the command line, as the text of a configuration, so that it goes
 * through the same language and the same checks.
 */
#ifndef SUPERD_CONF_SINGLE_H
#define SUPERD_CONF_SINGLE_H

#include "superd/conf.h"
#include "superd/conf_pool.h"
#include "superd/conf_report.h"

#include <stddef.h>

/* What the parts of the text are called in messages. */
#define CONF_SINGLE_LINE CONF_SINGLE_NAME
#define CONF_SINGLE_LISTEN "--listen"
#define CONF_SINGLE_SET "--set"

enum { SINGLE_TOP, SINGLE_LISTEN, SINGLE_PROGRAM, SINGLE_SET, SINGLE_END, SINGLE_PARTS };

struct conf_single_text {
	struct conf_file_part parts[SINGLE_PARTS]; /* which line is whose */
	const char *set; /* what --set says by itself: to be looked at before it is embedded */
	const char *text;
};

/*
 * Writes the configuration of single to *made; every string of the command line stands for itself
 * there, but what --set says, which is the language's own. The service has the program's base
 * name, as far as that can be a name.
 */
void conf_single_make(
	struct conf_pool *pool, const struct conf_single *single, struct conf_single_text *made);

#endif
