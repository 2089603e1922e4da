/*
 * addr: addresses to bind, peers that came, and the text of both.
 *
 * Numeric forms only.  The one thing asked of the system is an interface's index, for the zone
 * of a link-local address ("fe80::1%eth0").
 */
#include "config.h"
#include "superd/addr.h"

#include "superd/format.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UN_PATH_OFFSET offsetof(struct sockaddr_un, sun_path)

/* "fe80::1%eth0" without its zone fits here with room to spare; more is no address. */
#define ADDR_HOST_SIZE 64

/* An interface's index from its name or decimal number; 0 where there is none. */
static uint32_t addr_parse_zone(const char *zone)
{
	unsigned long index;
	char *end;

	if (*zone < '0' || *zone > '9')
		return if_nametoindex(zone);
	index = strtoul(zone, &end, 10);
	return *end == '\0' && index <= UINT32_MAX ? (uint32_t)index : 0;
}

static int addr_parse_ip6(const char *text, uint16_t port, struct addr *addr)
{
	const char *zone = strchr(text, '%');
	size_t length = zone == NULL ? strlen(text) : (size_t)(zone - text);
	char host[ADDR_HOST_SIZE];
	struct addr result;

	if (length >= sizeof(host))
		return -1;
	memcpy(host, text, length);
	host[length] = '\0';
	addr_set_wildcard(AF_INET6, port, &result);
	if (inet_pton(AF_INET6, host, &result.u.in6.sin6_addr) != 1)
		return -1;
	if (zone != NULL) {
		if (!IN6_IS_ADDR_LINKLOCAL(&result.u.in6.sin6_addr) &&
			!IN6_IS_ADDR_MULTICAST(&result.u.in6.sin6_addr))
			return -1;
		result.u.in6.sin6_scope_id = addr_parse_zone(zone + 1);
		if (result.u.in6.sin6_scope_id == 0)
			return -1;
	}
	*addr = result;
	return 0;
}

int addr_parse_ip(const char *text, uint16_t port, struct addr *addr)
{
	struct addr result;

	addr_set_wildcard(AF_INET, port, &result);
	if (inet_pton(AF_INET, text, &result.u.in.sin_addr) != 1)
		return addr_parse_ip6(text, port, addr);
	*addr = result;
	return 0;
}

void addr_set_wildcard(int family, uint16_t port, struct addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (family == AF_INET6) {
		addr->length = sizeof(addr->u.in6);
		addr->u.in6.sin6_family = AF_INET6;
		addr->u.in6.sin6_port = htons(port);
		addr->u.in6.sin6_addr = in6addr_any;
	} else {
		addr->length = sizeof(addr->u.in);
		addr->u.in.sin_family = AF_INET;
		addr->u.in.sin_port = htons(port);
		addr->u.in.sin_addr.s_addr = htonl(INADDR_ANY);
	}
}

int addr_set_unix(const char *path, struct addr *addr)
{
	size_t length = strlen(path);
	bool abstract = path[0] == '@';

	/* A path ends with its NUL inside sun_path; an abstract name needs none, but "@" alone
	   would ask the kernel to invent one. */
	if (abstract ? length < 2 || length > sizeof(addr->u.un.sun_path)
		     : length < 1 || length >= sizeof(addr->u.un.sun_path))
		return -1;
	memset(addr, 0, sizeof(*addr));
	addr->u.un.sun_family = AF_UNIX;
	memcpy(addr->u.un.sun_path, path, length);
	if (abstract)
		addr->u.un.sun_path[0] = '\0';
	addr->length = (socklen_t)(UN_PATH_OFFSET + length + (abstract ? 0 : 1));
	return 0;
}

int addr_family(const struct addr *addr)
{
	return addr->u.any.sa_family;
}

uint16_t addr_port(const struct addr *addr)
{
	switch (addr_family(addr)) {
	case AF_INET:
		return ntohs(addr->u.in.sin_port);
	case AF_INET6:
		return ntohs(addr->u.in6.sin6_port);
	default:
		return 0;
	}
}

bool addr_is_wildcard(const struct addr *addr)
{
	switch (addr_family(addr)) {
	case AF_INET:
		return addr->u.in.sin_addr.s_addr == htonl(INADDR_ANY);
	case AF_INET6:
		return IN6_IS_ADDR_UNSPECIFIED(&addr->u.in6.sin6_addr);
	default:
		return false;
	}
}

bool addr_equal(const struct addr *one, const struct addr *other)
{
	if (addr_family(one) != addr_family(other) || addr_port(one) != addr_port(other))
		return false;
	switch (addr_family(one)) {
	case AF_INET:
		return one->u.in.sin_addr.s_addr == other->u.in.sin_addr.s_addr;
	case AF_INET6:
		return IN6_ARE_ADDR_EQUAL(&one->u.in6.sin6_addr, &other->u.in6.sin6_addr) &&
		       one->u.in6.sin6_scope_id == other->u.in6.sin6_scope_id;
	case AF_UNIX:
		return one->length == other->length &&
		       memcmp(one->u.un.sun_path, other->u.un.sun_path,
			       one->length - UN_PATH_OFFSET) == 0;
	default:
		return false;
	}
}

/* The name of a unix address; bytes that are not printable as \xHH; cut where it is too long. */
static char *addr_format_unix(const struct addr *addr, char text[ADDR_TEXT_SIZE])
{
	const unsigned char *path = (const unsigned char *)addr->u.un.sun_path;
	size_t length = addr->length > UN_PATH_OFFSET ? addr->length - UN_PATH_OFFSET : 0;
	bool abstract = length > 0 && path[0] == '\0';
	size_t used = (size_t)snprintf(text, ADDR_TEXT_SIZE, "unix:%s", abstract ? "@" : "");
	size_t i;

	for (i = abstract ? 1 : 0; i < length && (abstract || path[i] != '\0'); i++) {
		if (used + 5 > ADDR_TEXT_SIZE)
			break;
		if (path[i] > 0x20 && path[i] < 0x7f && path[i] != '\\')
			text[used++] = (char)path[i];
		else
			used += (size_t)snprintf(
				text + used, ADDR_TEXT_SIZE - used, "\\x%02x", path[i]);
	}
	text[used] = '\0';
	return text;
}

/* "192.0.2.7", "fe80::1%2": the text of 4 or 16 bytes of address; returns its end. */
static char *addr_format_ip(int family, const void *ip, uint32_t scope, char *text)
{
	const uint8_t *bytes = ip;
	char *end = text;

	if (family == AF_INET) {
		for (int i = 0; i < 4; i++) {
			if (i > 0)
				*end++ = '.';
			end = format_uint(end, bytes[i]);
		}
	} else if (inet_ntop(family, ip, text, ADDR_HOST_SIZE) != NULL) {
		end += strlen(text);
		if (scope != 0)
			end = format_uint(format_string(end, "%"), scope);
	}
	*end = '\0';
	return end;
}

/* "192.0.2.7:7", "[fe80::1%2]:7". */
static char *addr_format_port(
	int family, const void *ip, uint32_t scope, uint16_t port, char text[ADDR_TEXT_SIZE])
{
	char *end = format_string(text, family == AF_INET ? "" : "[");

	end = addr_format_ip(family, ip, scope, end);
	end = format_uint(format_string(end, family == AF_INET ? ":" : "]:"), port);
	*end = '\0';
	return text;
}

char *addr_format(const struct addr *addr, char text[ADDR_TEXT_SIZE])
{
	text[0] = '\0';
	switch (addr_family(addr)) {
	case AF_INET:
		return addr_format_port(AF_INET, &addr->u.in.sin_addr, 0, addr_port(addr), text);
	case AF_INET6:
		return addr_format_port(AF_INET6, &addr->u.in6.sin6_addr, addr->u.in6.sin6_scope_id,
			addr_port(addr), text);
	case AF_UNIX:
		return addr_format_unix(addr, text);
	default:
		break;
	}
	return text;
}

static void peer_set_ip6(struct peer *peer, const struct sockaddr_in6 *in6)
{
	peer->port = ntohs(in6->sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		peer->family = AF_INET;
		memcpy(peer->u.ip, in6->sin6_addr.s6_addr + 12, 4);
		return;
	}
	peer->family = AF_INET6;
	peer->scope = IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) ? in6->sin6_scope_id : 0;
	memcpy(peer->u.ip, in6->sin6_addr.s6_addr, 16);
}

void peer_set(struct peer *peer, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	memset(peer, 0, sizeof(*peer));
	peer->family = AF_UNSPEC;
	if (length < sizeof(sa_family_t))
		return;
	if (address->sa_family == AF_INET && length >= sizeof(in)) {
		memcpy(&in, address, sizeof(in));
		peer->family = AF_INET;
		peer->port = ntohs(in.sin_port);
		memcpy(peer->u.ip, &in.sin_addr, 4);
	} else if (address->sa_family == AF_INET6 && length >= sizeof(in6)) {
		memcpy(&in6, address, sizeof(in6));
		peer_set_ip6(peer, &in6);
	} else if (address->sa_family == AF_UNIX) {
		peer->family = AF_UNIX;
	}
}

int peer_set_credentials(struct peer *peer, int fd)
{
	struct ucred cred;
	socklen_t length = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) != 0)
		return -1;
	peer->u.cred.pid = cred.pid;
	peer->u.cred.uid = cred.uid;
	peer->u.cred.gid = cred.gid;
	return 0;
}

bool peer_is_local(const struct peer *peer)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	return peer->family == AF_UNIX || (peer->family == AF_INET && peer->u.ip[0] == 127) ||
	       (peer->family == AF_INET6 && memcmp(peer->u.ip, loopback6, sizeof(loopback6)) == 0);
}

char *peer_format_host(const struct peer *peer, char text[ADDR_TEXT_SIZE])
{
	text[0] = '\0';
	if (peer->family == AF_INET || peer->family == AF_INET6)
		addr_format_ip(peer->family, peer->u.ip, peer->scope, text);
	return text;
}

char *peer_format(const struct peer *peer, char text[ADDR_TEXT_SIZE])
{
	text[0] = '\0';
	switch (peer->family) {
	case AF_INET:
	case AF_INET6:
		return addr_format_port(peer->family, peer->u.ip, peer->scope, peer->port, text);
	case AF_UNIX:
		snprintf(text, ADDR_TEXT_SIZE, "unix:pid=%d,uid=%u", (int)peer->u.cred.pid,
			(unsigned)peer->u.cred.uid);
		break;
	default:
		break;
	}
	return text;
}
