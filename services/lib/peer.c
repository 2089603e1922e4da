/*
 * peer: the client's and the own address of a socket, and their text.
 */
#include "config.h"

#include "services/lib/peer.h"
#include "services/lib/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

void peer_set(struct peer *peer, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	*peer = (struct peer){.family = AF_UNSPEC};
	if (length < sizeof(address->sa_family))
		return;
	if (address->sa_family == AF_INET && length >= sizeof(in)) {
		memcpy(&in, address, sizeof(in));
		peer->family = AF_INET;
		peer->port = ntohs(in.sin_port);
		memcpy(peer->ip, &in.sin_addr, 4);
	} else if (address->sa_family == AF_INET6 && length >= sizeof(in6)) {
		memcpy(&in6, address, sizeof(in6));
		peer->port = ntohs(in6.sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
			peer->family = AF_INET;
			memcpy(peer->ip, in6.sin6_addr.s6_addr + 12, 4);
		} else {
			peer->family = AF_INET6;
			peer->scope = in6.sin6_scope_id;
			memcpy(peer->ip, &in6.sin6_addr, 16);
		}
	} else if (address->sa_family == AF_UNIX) {
		peer->family = AF_UNIX;
	}
}

int peer_of(int fd, struct peer *peer)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct ucred credentials;

	if (getpeername(fd, (struct sockaddr *)&address, &length) != 0) {
		*peer = (struct peer){.family = AF_UNSPEC};
		return -1;
	}
	peer_set(peer, (struct sockaddr *)&address, length);
	if (peer->family != AF_UNIX)
		return 0;
	length = sizeof(credentials);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0) {
		peer->pid = credentials.pid;
		peer->uid = credentials.uid;
	}
	return 0;
}

int peer_local(int fd, struct peer *peer)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
		*peer = (struct peer){.family = AF_UNSPEC};
		return -1;
	}
	peer_set(peer, (struct sockaddr *)&address, length);
	return 0;
}

/* *peer from the environment; false where that names nobody. */
static bool peer_from_environment(struct peer *peer)
{
	const char *host = getenv("REMOTE_ADDR");
	const char *port = getenv("REMOTE_PORT");
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	uint64_t number = 0;

	if (host == NULL)
		return false;
	if (port != NULL && text_parse_unsigned(port, 0, UINT16_MAX, &number) != 0)
		return false;
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		in.sin_port = htons((uint16_t)number);
		peer_set(peer, (struct sockaddr *)&in, sizeof(in));
		return true;
	}
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
		in6.sin6_port = htons((uint16_t)number);
		peer_set(peer, (struct sockaddr *)&in6, sizeof(in6));
		return true;
	}
	return false;
}

void peer_client(struct peer *peer)
{
	int saved = errno;
	struct peer named;

	peer_of(0, peer);
	if ((peer->family == AF_UNSPEC || peer->family == AF_UNIX) && peer_from_environment(&named))
		*peer = named;
	errno = saved;
}

bool peer_is_loopback(const struct peer *peer)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	if (peer->family == AF_INET)
		return peer->ip[0] == 127;
	return peer->family == AF_INET6 && memcmp(peer->ip, loopback6, sizeof(loopback6)) == 0;
}

/* The longest run of zero groups, which "::" stands for (RFC 5952: at least two, the first). */
static void zero_run_find(const unsigned group[8], unsigned *start, unsigned *length)
{
	*start = 8;
	*length = 1;
	for (unsigned i = 0; i < 8; i++) {
		unsigned end = i;

		while (end < 8 && group[end] == 0)
			end++;
		if (end - i > *length) {
			*start = i;
			*length = end - i;
		}
	}
}

static void ip6_add(struct text *text, const uint8_t ip[16])
{
	unsigned group[8];
	unsigned start, length;

	for (unsigned i = 0; i < 8; i++)
		group[i] = (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
	zero_run_find(group, &start, &length);
	for (unsigned i = 0; i < 8; i++) {
		if (i == start) {
			text_add(text, "::");
			i += length - 1;
			continue;
		}
		if (i > 0 && i != start + length)
			text_add_char(text, ':');
		text_add_hex(text, group[i]);
	}
}

static void host_add(struct text *text, const struct peer *peer)
{
	if (peer->family == AF_INET) {
		for (unsigned i = 0; i < 4; i++) {
			if (i > 0)
				text_add_char(text, '.');
			text_add_unsigned(text, peer->ip[i]);
		}
	} else if (peer->family == AF_INET6) {
		ip6_add(text, peer->ip);
		if (peer->scope != 0) {
			text_add_char(text, '%');
			text_add_unsigned(text, peer->scope);
		}
	} else {
		text_add(text, peer->family == AF_UNIX ? "unix" : "unknown");
	}
}

char *peer_format_host(const struct peer *peer, char text[PEER_TEXT_SIZE])
{
	struct text out;

	text_begin(&out, text, PEER_TEXT_SIZE);
	host_add(&out, peer);
	return text;
}

char *peer_format(const struct peer *peer, char text[PEER_TEXT_SIZE])
{
	struct text out;

	text_begin(&out, text, PEER_TEXT_SIZE);
	if (peer->family == AF_INET6)
		text_add_char(&out, '[');
	host_add(&out, peer);
	if (peer->family == AF_INET6)
		text_add_char(&out, ']');
	if (peer->family == AF_INET || peer->family == AF_INET6) {
		text_add_char(&out, ':');
		text_add_unsigned(&out, peer->port);
	} else if (peer->family == AF_UNIX && peer->pid != 0) {
		text_add(&out, ":pid=");
		text_add_int(&out, peer->pid);
		text_add(&out, ",uid=");
		text_add_unsigned(&out, peer->uid);
	}
	return text;
}
