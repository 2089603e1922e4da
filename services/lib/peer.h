/*
 * peer: the client's and the own address of a socket, and their text.  No name is looked up.
 */
#ifndef SERVICES_LIB_PEER_H
#define SERVICES_LIB_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct peer {
	sa_family_t family; /* AF_INET (v4-mapped addresses too), AF_INET6, AF_UNIX, or AF_UNSPEC:
			       nobody is known */
	uint16_t port;      /* host order; 0 for unix */
	uint32_t scope;     /* interface index of a link-local IPv6 address, otherwise 0 */
	uint8_t ip[16];     /* AF_INET uses the first 4 */
	pid_t pid;          /* AF_UNIX: who connected (SO_PEERCRED); 0 where the kernel hides it */
	uid_t uid;          /* AF_UNIX */
};

/* Longest text of peer_format() with its NUL. */
#define PEER_TEXT_SIZE 64

/* *peer from an address as accept(2) or recvfrom(2) gives it; a unix peer has no credentials. */
void peer_set(struct peer *peer, const struct sockaddr *address, socklen_t length);

/* Whom socket fd is connected to (getpeername(2)).  Returns 0, or -1 with errno and AF_UNSPEC. */
int peer_of(int fd, struct peer *peer);

/* The own address of socket fd (getsockname(2)).  Returns 0, or -1 with errno and AF_UNSPEC. */
int peer_local(int fd, struct peer *peer);

/*
 * The client of this process: the peer of descriptor 0, or where that is no connected internet
 * socket what the variables REMOTE_ADDR and REMOTE_PORT say.  AF_UNSPEC where neither knows.
 */
void peer_client(struct peer *peer);

/* 127.0.0.0/8 or ::1. */
bool peer_is_loopback(const struct peer *peer);

/* Writes the address alone: "192.0.2.7", "2001:db8::1", "fe80::1%2", "unix" or "unknown". */
char *peer_format_host(const struct peer *peer, char text[PEER_TEXT_SIZE]);

/* Writes "192.0.2.7:41234", "[2001:db8::1]:41234", "unix:pid=7,uid=0" or "unknown"; returns text.
 */
char *peer_format(const struct peer *peer, char text[PEER_TEXT_SIZE]);

#endif
