/*
 * conf_endpoint: one value of `listen`: "7", "udp:53", "127.0.0.1:80", "[::1]:80-82",
 * "*:http", "localhost:25", "unix:/run/x", "unix-dgram:@name", ...
 */
#ifndef SUPERD_CONF_ENDPOINT_H
#define SUPERD_CONF_ENDPOINT_H

#include "superd/addr.h"
#include "superd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_endpoint_host {
	HOST_ANY,       /* no address: the wildcards of both families */
	HOST_LOCALHOST, /* 127.0.0.1 and [::1] */
	HOST_ADDRESS,
	HOST_UNIX,
};

struct conf_endpoint {
	int type; /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET */
	enum conf_endpoint_host host;
	struct addr addr;     /* of HOST_ADDRESS (without port) and HOST_UNIX */
	uint16_t first, last; /* ports */
};

/* One socket of an endpoint. */
struct conf_endpoint_socket {
	struct addr addr;
	bool family_half; /* the other family has a socket of its own */
};

/* Parses text; returns 0, or -1 with *error ("port 70000 is not in 1..65535"). */
int conf_endpoint_parse(const char *text, struct conf_endpoint *endpoint, struct error *error);

/* The endpoint of a service that says nothing: its name in /etc/services, tcp.  0 or -1. */
int conf_endpoint_from_name(const char *name, struct conf_endpoint *endpoint);

/* How many sockets an endpoint is. */
size_t conf_endpoint_socket_count(const struct conf_endpoint *endpoint);

/* The socket number index of them. */
void conf_endpoint_get(
	const struct conf_endpoint *endpoint, size_t index, struct conf_endpoint_socket *socket);

/* Longest text of conf_socket_format(), with its NUL. */
#define CONF_SOCKET_TEXT_SIZE (ADDR_TEXT_SIZE + 16)

/* "tcp 127.0.0.1:7", "udp [::]:7", "unix /run/x", "unix-dgram @x"; returns text. */
char *conf_socket_format(int type, const struct addr *addr, char text[CONF_SOCKET_TEXT_SIZE]);

#endif
