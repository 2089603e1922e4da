/*
 * conf_program: whether what a service executes could be executed, by the user it runs as.
 */
#ifndef SUPERD_CONF_PROGRAM_H
#define SUPERD_CONF_PROGRAM_H

#include "superd/conf_ident.h"
#include "superd/creds.h"
#include "superd/error.h"

/* A program as a service would run it. */
struct conf_program {
	const char *path; /* absolute; inside root where one is set */
	const char *root; /* NULL: none */
	const struct creds *creds;
};

/*
 * Checks that the program is a regular file, that its user may reach and execute it, and the
 * same for the interpreter of a script.  Returns 0, or -1 with *error ("no program '/x'").
 * Takes on the user's identity for a moment where superd is root: only in the loader.
 */
int conf_program_check(
	const struct conf_ident *ident, const struct conf_program *program, struct error *error);

/*
 * The path of a bare name in directory; checks that there is such a file (in root where one is
 * set).  Returns it in pool, or NULL with *error, which names a similar one that does exist.
 */
const char *conf_program_bundled(struct conf_pool *pool, const char *directory, const char *root,
	const char *name, struct error *error);

#endif
