/*
 * connect: from a host and a port as a person types them to a connected socket.
 */
#ifndef SERVICES_CLIENTS_CONNECT_H
#define SERVICES_CLIENTS_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/clients/fault.h"

struct connect_target {
	const char *host;    /* name or address, borrowed */
	const char *port;    /* number or service name, borrowed */
	int family;          /* AF_UNSPEC, AF_INET or AF_INET6 */
	int type;            /* SOCK_STREAM or SOCK_DGRAM */
	uint16_t local_port; /* bound first; 0: the kernel chooses */
	int timeout_ms;      /* for all addresses of the host together */
};

/* Milliseconds of a clock that never jumps. */
int64_t connect_now_ms(void);

/*
 * Whether text may be a port: a number from 1 to 65535, or what may be the name of a service.
 * The programs ask this of what the user gave; connect_open() does not.
 */
bool connect_port_valid(const char *text);

/*
 * Resolves the target and tries its addresses in turn.  An address that does not answer uses up
 * only its share of the time-out.  Returns a connected, blocking socket, close-on-exec and, for a
 * stream, with keepalive; the caller closes it.  Returns -1 with *fault set otherwise, which
 * speaks of the last address tried.
 */
int connect_open(const struct connect_target *target, struct fault *fault);

/*
 * Writes "local 127.0.0.1:40000 to 127.0.0.1:7" (IPv6 addresses in brackets) about a connected
 * socket.  Returns 0, or -1 with *fault set.
 */
int connect_describe(int socket, size_t size, char *text, struct fault *fault);

#endif
