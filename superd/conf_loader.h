/*
 * conf_loader: one load from files to struct conf, inside the process that it runs in.
 */
#ifndef SUPERD_CONF_LOADER_H
#define SUPERD_CONF_LOADER_H

#include "superd/conf.h"
#include "superd/conf_arena.h"
#include "superd/conf_pool.h"

#include <stddef.h>
#include <stdio.h>

struct conf_loader {
	const struct conf_request *request;
	const char *text; /* instead of the file's (the fuzzer); NULL: read request->file */
	size_t length;
	struct conf_arena *arena; /* where the result goes */
	struct conf *conf;        /* the result, in arena */
	FILE *print;              /* where the effective configuration goes; NULL: nowhere */
	void (*message_cb)(void *owner, enum conf_severity severity, const char *text);
	void (*full_cb)(void *owner); /* no memory is left; does not return */
	void *owner;
	struct conf_pool pool; /* scratch; empty after a run that was not left by full_cb */
};

/*
 * Loads, checks, builds, tells all messages and prints.  Returns 0, or -1 where there was a
 * problem; *loader->conf is then not to be used.
 */
int conf_loader_run(struct conf_loader *loader);

#endif
