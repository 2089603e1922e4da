/*
 * conf_dump: the effective configuration in the language of superd.conf (superd -T).
 */
#ifndef SUPERD_CONF_DUMP_H
#define SUPERD_CONF_DUMP_H

#include "superd/conf_build.h"

#include <stdio.h>

/*
 * Prints what was built: every service with every value, nothing inherited, "# FILE:LINE"
 * behind each value that a file sets.  Loaded again it gives the same configuration.
 */
void conf_dump(const struct conf_builder *builder, FILE *stream);

#endif
