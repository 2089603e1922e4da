/*
 * descriptor: where descriptors lie. Long-lived ones live at 256 and above, so that a new
 * program's own table, which holds what lies below its connection, stays small.
 */
#ifndef SUPERD_DESCRIPTOR_H
#define SUPERD_DESCRIPTOR_H

#include "superd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>

#define DESCRIPTOR_LONG_LIVED 256

/*
 * Moves fd to 256 or above, close-on-exec, and returns the new number; fd itself, made
 * close-on-exec, where it is that high already or there is no room up there (RLIMIT_NOFILE).
 * Negative fds are returned as they are. errno is kept.
 */
int descriptor_raise(int fd);

/* Sets or clears O_NONBLOCK on fd's description. Returns 0, or -1 with errno. */
int descriptor_set_blocking(int fd, bool blocking);

/* Opens /dev/null on whichever of 0, 1, 2 is closed. Returns 0, or -1 with *error. */
int descriptor_fill_standard(struct error *error);

/* Sets close-on-exec on everything above 2 that superd inherited: no program shall have it. */
void descriptor_cloexec_inherited(void);

/*
 * Raises the soft RLIMIT_NOFILE to the hard one and stores in *started what it was. Nothing is
 * ever sized by it. Failing to raise is no error.
 */
void descriptor_raise_limit(struct rlimit *started);

/*
 * The orderly end of a connection: sends text (NULL: none) as far as the socket's buffer takes
 * it, shuts the sending side down, reads once what has arrived (at most 64 KiB) so that closing
 * does not reset the client, closes. Never blocks.
 */
void descriptor_close_orderly(int fd, const char *text);

#endif
