/*
 * holder: which process has the socket that is in the way of a bind(2), as far as /proc tells.
 *
 * Done in steps, each short: a machine may have many processes, and each many descriptors.
 */
#ifndef SUPERD_HOLDER_H
#define SUPERD_HOLDER_H

#include "superd/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct holder;

/* Begins to search for who has a socket of type (SOCK_STREAM, ...) at addr, or at the wildcard
   address. NULL where memory is out. */
struct holder *holder_begin(int type, const struct addr *addr);

/* Searches on for a moment. Returns whether there is more to search. */
bool holder_step(struct holder *holder);

/* Longest text of holder_format(), with its NUL. */
#define HOLDER_TEXT_SIZE 64

/* "process 812 (nc)", "superd itself", or "" where it was not found. Returns text. */
char *holder_format(const struct holder *holder, char text[HOLDER_TEXT_SIZE]);

/* NULL is allowed. */
void holder_free(struct holder *holder);

#endif
