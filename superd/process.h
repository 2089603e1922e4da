/*
 * process: superd as a process: what it inherits is set right, and it detaches as a daemon.
 */
#ifndef SUPERD_PROCESS_H
#define SUPERD_PROCESS_H

#include "superd/error.h"

/*
 * Sets every signal's disposition to default (they may be inherited as ignored), ignores
 * SIGPIPE, blocks all signals (superd takes its own from a descriptor, and programs are started
 * with all blocked), and sets the umask to 022. As root it gives up supplementary groups: root
 * needs none, and what superd does not have no program has to drop.
 */
void process_reset(void);

/*
 * Goes on in a new session as a child of init. The calling process waits for process_report()
 * and exits with its status, so that the caller's shell learns the truth. Returns in the child:
 * the descriptor for process_report(), or -1 with *error where fork(2) failed.
 */
int process_detach(struct error *error);

/* Tells the waiting process how the start went, and closes fd. With status 0 descriptors 0, 1
   and 2 become /dev/null. */
void process_report(int fd, int status);

/* Writes "ready\n" to fd and closes it (the s6 way of readiness). fd -1: nothing. */
void process_ready(int fd);

#endif
