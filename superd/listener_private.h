/*
 * listener_private: what listener and listener_change share.
 */
#ifndef SUPERD_LISTENER_PRIVATE_H
#define SUPERD_LISTENER_PRIVATE_H

#include "superd/listener.h"

/* What is added to a unix socket's name until it is settled. */
#define LISTENER_BESIDE_SUFFIX ".superd-new"

/* It could not be opened: tries again by itself, or gives up on a family that is not there. */
void listener_fail(struct listener *listener, const struct error *error);

/* It is open now, on fd (-1: covered); path is its unix name where that is superd's to remove,
   otherwise NULL. */
void listener_opened(struct listener *listener, int fd, const char *path);

#endif
