/*
 * wire: what both halves of climess share: the end of a connection, in order or not, and
 * standard output.
 */
#ifndef SERVICES_CLIENTS_WIRE_H
#define SERVICES_CLIENTS_WIRE_H

#include "services/clients/fault.h"

#include <stddef.h>

/* Longest line of the server with a NUL. */
#define WIRE_LINE_SIZE 512

/*
 * From now on the connection ends with a reset when this process ends in any way, so that a server
 * cannot take a client that was killed for one that has finished.
 */
void wire_break_at_exit(int socket);

/* Closes the connection in order after all. */
void wire_end(int socket);

/* Writes to standard output.  Returns 0, or -1 with *fault. */
int wire_print(const char *data, size_t size, struct fault *fault);

/* Makes sure that standard output has it, on the disk where it is a file.  As wire_print(). */
int wire_print_end(struct fault *fault);

#endif
