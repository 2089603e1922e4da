/*
 * addr: socket addresses of every family superd serves, their text, and the compact record of
 * a peer.  No name is ever looked up here.
 */
#ifndef SUPERD_ADDR_H
#define SUPERD_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/* An address to bind.  length is what bind(2) wants; abstract unix names may hold NULs. */
struct addr {
	socklen_t length;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} u;
};

/* The other end of a connection, small: one is kept for every live child. */
struct peer {
	sa_family_t family; /* AF_INET, AF_INET6 (v4-mapped is stored as AF_INET), AF_UNIX, or
				AF_UNSPEC where there is none (wait programs) */
	uint16_t port;      /* host order; 0 for unix */
	uint32_t scope;     /* IPv6 link-local: interface index, otherwise 0 */
	union {
		uint8_t ip[16]; /* AF_INET uses the first 4 */
		struct {
			pid_t pid;
			uid_t uid;
			gid_t gid;
		} cred; /* AF_UNIX, from SO_PEERCRED */
	} u;
};

/* Longest text of addr_format() and peer_format(), with its NUL: "unix:" and an escaped path. */
#define ADDR_TEXT_SIZE 128

/*
 * Parses a numeric IPv4 or IPv6 address without brackets ("192.0.2.7", "fe80::1%eth0") into
 * *addr with the given port (host order).  Returns 0, or -1 where text is neither.
 */
int addr_parse_ip(const char *text, uint16_t port, struct addr *addr);

/* *addr becomes the wildcard address of family (AF_INET or AF_INET6) with port. */
void addr_set_wildcard(int family, uint16_t port, struct addr *addr);

/*
 * *addr becomes a unix address: a path, or with a leading '@' a name in the abstract namespace
 * (unix(7)).  Returns 0, or -1 where it is empty or does not fit sun_path.
 */
int addr_set_unix(const char *path, struct addr *addr);

/* AF_INET, AF_INET6 or AF_UNIX. */
int addr_family(const struct addr *addr);

/* The port in host order, 0 for unix. */
uint16_t addr_port(const struct addr *addr);

/* Whether addr is 0.0.0.0 or [::]. */
bool addr_is_wildcard(const struct addr *addr);

/* Whether both are the same address (family, address, port or path; scope included). */
bool addr_equal(const struct addr *one, const struct addr *other);

/* Writes "127.0.0.1:7", "[::1]:7", "unix:/path" or "unix:@name" to text; returns text. */
char *addr_format(const struct addr *addr, char text[ADDR_TEXT_SIZE]);

/* *peer from what accept(2) returned; unix peers still lack their credentials. */
void peer_set(struct peer *peer, const struct sockaddr *address, socklen_t length);

/* Fills the credentials of a unix peer from the connected socket fd; 0, or -1 with errno. */
int peer_set_credentials(struct peer *peer, int fd);

/* Whether peer is on this machine: a loopback address, or a unix peer. */
bool peer_is_local(const struct peer *peer);

/* Writes the address alone: "127.0.0.1", "2001:db8::1", "fe80::1%2"; "" for others. */
char *peer_format_host(const struct peer *peer, char text[ADDR_TEXT_SIZE]);

/* Writes "127.0.0.1:40000", "[::1]:40000", "unix:pid=7,uid=0" or "" (no peer); returns text. */
char *peer_format(const struct peer *peer, char text[ADDR_TEXT_SIZE]);

#endif
