/*
 * pidfile: the number of the running superd in a file that it keeps locked.
 */
#ifndef SUPERD_PIDFILE_H
#define SUPERD_PIDFILE_H

#include "superd/error.h"

/*
 * Creates (or takes over) path, locks it with flock(2) and writes the pid. A file left by a
 * superd that was killed is not locked and is taken over. Returns the descriptor to hold, at 256
 * or above, ended with pidfile_remove(); or -1 with *error, which names the process that holds
 * the lock.
 */
int pidfile_create(const char *path, struct error *error);

/* Removes the file and gives the lock back. */
void pidfile_remove(const char *path, int fd);

#endif
