/*
 * serve_datagrams: the loop of a datagram service.
 */
#ifndef SERVICES_LIB_SERVE_DATAGRAMS_H
#define SERVICES_LIB_SERVE_DATAGRAMS_H

#include "services/lib/serve.h"

/*
 * Answers the datagrams of descriptor 0 by service->datagram_cb until none has come for the idle
 * time.  What may not be answered (dgram.h) is dropped with at most one log line a second.
 * Returns the exit status.
 */
int serve_datagrams(const struct serve *serve);

#endif
