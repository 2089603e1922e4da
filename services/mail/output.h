/*
 * output: what a fetch sends, gathered into large writes, and whether all of it has arrived.
 */
#ifndef SERVICES_MAIL_OUTPUT_H
#define SERVICES_MAIL_OUTPUT_H

#include "services/mail/exchange.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_BUFFER 65536

struct output {
	struct exchange *exchange; /* the caller's */
	bool ended_early; /* the client had closed its side before the last byte was sent */
	size_t used;
	char buffer[OUTPUT_BUFFER];
};

void output_begin(struct output *output, struct exchange *exchange);

/* Adds bytes, and writes what is too much for the buffer.  Returns 0, or -1 with errno. */
int output_add(struct output *output, const char *data, size_t size);

/* Adds size bytes of a file from its begin on.  Returns 0, or -1 with errno (EIO: too short). */
int output_add_file(struct output *output, int fd, uint64_t size);

/* Writes what is left in the buffer.  Returns 0, or -1 with errno. */
int output_flush(struct output *output);

/*
 * Sends the end of file and waits for the client's.  Returns whether the client has confirmed that
 * it has everything: it closed its side, without a reset, and when that arrived it had
 * acknowledged the last byte.  A pipe's reader has acknowledged what it has read.
 */
bool output_confirmed(struct output *output);

/* Gives the connection up in the middle: the client gets a reset and cannot take it for the end. */
void output_break(struct output *output);

#endif
