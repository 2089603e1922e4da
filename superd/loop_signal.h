/*
 * loop_signal: signals as a descriptor under watch.  Private to superd/loop*.c.
 */
#ifndef SUPERD_LOOP_SIGNAL_H
#define SUPERD_LOOP_SIGNAL_H

#include "superd/loop.h"

#include <signal.h>

struct loop_signals {
	struct loop_watch watch; /* fd: the signalfd, -1 where none is open */
	void (*signal_cb)(void *owner, int signal, pid_t sender);
	void *owner;
};

/* Blocks set and opens a descriptor for it, ready to be watched for LOOP_READ.  Returns 0, or -1
   with *error and the mask as it was. */
int loop_signals_open(struct loop_signals *signals, const sigset_t *set, struct error *error);

/* Closes the descriptor; the signals stay blocked.  Idempotent. */
void loop_signals_close(struct loop_signals *signals);

#endif
