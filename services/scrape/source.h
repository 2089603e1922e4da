/*
 * source: superd's counts, asked of its control socket.
 *
 * The answer is {"ok": true, "metrics": "TEXT"} with the escapes of JSON, and may be of any
 * length: it is taken out of them piece by piece.
 */
#ifndef SERVICES_SCRAPE_SOURCE_H
#define SERVICES_SCRAPE_SOURCE_H

#include "services/lib/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SOURCE_DEFAULT "/run/superd/control.sock"
#define SOURCE_PIECE 8192

/* Treat as opaque. */
struct source {
	int fd;
	size_t used, at; /* of raw */
	bool done;       /* the text has ended as it should */
	char raw[SOURCE_PIECE];
};

/*
 * Asks the superd at path. Returns 0 where the text begins, or -1 with the reason in *reason: a
 * refusal of superd's, or a constant and errno (errno 0: the reason says it all).
 */
int source_open(
	struct source *source, const char *path, struct io_deadline *deadline, const char **reason);

/*
 * The next piece of the text into data, which has room for SOURCE_PIECE bytes. Returns its length,
 * 0 at the end of the text, -1 with errno where it was cut (EPROTO) or does not come.
 */
ssize_t source_read(struct source *source, char *data, struct io_deadline *deadline);

void source_close(struct source *source);

#endif
