/*
 * serve_listeners: the accept loop of a stream service in wait mode.
 */
#ifndef SERVICES_LIB_SERVE_LISTENERS_H
#define SERVICES_LIB_SERVE_LISTENERS_H

#include "services/lib/serve.h"

/*
 * Accepts from all sockets of listen_fds() and forks a process for each connection, which runs
 * service->stream_cb with the client on 0 and 1 and the listening sockets closed.  Ends when
 * there has been no client for the idle time.  Returns the exit status (in the forked
 * processes that of stream_cb).
 */
int serve_listeners(const struct serve *serve);

#endif
