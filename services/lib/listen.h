/*
 * listen: the sockets that a wait-mode program was given.
 */
#ifndef SERVICES_LIB_LISTEN_H
#define SERVICES_LIB_LISTEN_H

#include <stddef.h>

/*
 * The sockets by the LISTEN_FDS protocol, where LISTEN_PID names this process: descriptors *first
 * (3), *first + 1, ...  Otherwise descriptor 0 alone.  Returns how many there are, at least 1.
 * They are blocking and shared with the server that handed them over: poll first, then accept,
 * and never change their flags.
 */
size_t listen_fds(int *first);

#endif
