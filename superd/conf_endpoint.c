/*
 * conf_endpoint: the grammar of endpoints.  Nothing is looked up but names in /etc/services.
 */
#include "config.h"
#include "superd/conf_endpoint.h"
#include "superd/conf_value.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

struct endpoint_prefix {
	const char *text;
	int type;
	bool unix_family;
};

static const struct endpoint_prefix endpoint_prefixes[] = {
	{"tcp:", SOCK_STREAM, false},
	{"udp:", SOCK_DGRAM, false},
	{"unix:", SOCK_STREAM, true},
	{"unix-dgram:", SOCK_DGRAM, true},
	{"unix-seqpacket:", SOCK_SEQPACKET, true},
	{NULL, SOCK_STREAM, false},
};

/* A port by number or by its name in /etc/services. */
static int endpoint_port(int type, const char *text, uint16_t *port, struct error *error)
{
	const char *protocol = type == SOCK_DGRAM ? "udp" : "tcp";
	const struct servent *entry;
	struct error ignored;
	int64_t number;

	if (conf_value_integer(text, 1, 65535, &number, &ignored) == 0) {
		*port = (uint16_t)number;
		return 0;
	}
	if (text[strspn(text, "0123456789")] == '\0')
		return error_set(error, 0, "port %.40s is not in 1..65535", text);
	if (text[strspn(text, "-0123456789")] == '\0')
		return error_set(
			error, 0, "'%.40s' is neither a port nor a range FIRST-LAST", text);
	entry = getservbyname(text, protocol);
	if (entry == NULL)
		return error_set(
			error, 0, "port '%.40s' is not in /etc/services for %s", text, protocol);
	*port = ntohs((uint16_t)entry->s_port);
	return 0;
}

/* PORT, NAME or FIRST-LAST; a '-' between digits makes a range, names may hold one. */
static int endpoint_ports(struct conf_endpoint *endpoint, const char *text, struct error *error)
{
	size_t digits = strspn(text, "0123456789");
	char first[16];

	if (*text == '\0')
		return error_set(error, 0, "the port is missing");
	if (digits == 0 || digits >= sizeof(first) || text[digits] != '-' ||
		text[digits + 1] == '\0' ||
		text[digits + 1 + strspn(text + digits + 1, "0123456789")] != '\0') {
		if (endpoint_port(endpoint->type, text, &endpoint->first, error) != 0)
			return -1;
		endpoint->last = endpoint->first;
		return 0;
	}
	memcpy(first, text, digits);
	first[digits] = '\0';
	if (endpoint_port(endpoint->type, first, &endpoint->first, error) != 0 ||
		endpoint_port(endpoint->type, text + digits + 1, &endpoint->last, error) != 0)
		return -1;
	if (endpoint->first > endpoint->last)
		return error_set(error, 0, "the range %.40s is empty", text);
	return 0;
}

static int endpoint_unix(struct conf_endpoint *endpoint, const char *path, struct error *error)
{
	endpoint->host = HOST_UNIX;
	if (*path != '/' && *path != '@')
		return error_set(error, 0,
			"'%.120s' is neither an absolute path nor an abstract name such as @name",
			path);
	if (addr_set_unix(path, &endpoint->addr) != 0)
		return error_set(error, 0,
			"'%.120s' is too %s for the name of a unix socket (1 to 107 bytes)", path,
			path[0] == '@' && path[1] == '\0' ? "short" : "long");
	return 0;
}

/* What stands before the last ':', without brackets. */
static int endpoint_host(
	struct conf_endpoint *endpoint, const char *host, bool brackets, struct error *error)
{
	if (!brackets && strcmp(host, "*") == 0) {
		endpoint->host = HOST_ANY;
		return 0;
	}
	if (!brackets && strcmp(host, "localhost") == 0) {
		endpoint->host = HOST_LOCALHOST;
		return 0;
	}
	endpoint->host = HOST_ADDRESS;
	if (addr_parse_ip(host, 0, &endpoint->addr) != 0)
		return error_set(
			error, 0, "'%s' is not an address (names are not looked up)", host);
	if (brackets != (addr_family(&endpoint->addr) == AF_INET6))
		return error_set(error, 0, "'%s' is no IPv6 address: no brackets", host);
	if (brackets && IN6_IS_ADDR_V4MAPPED(&endpoint->addr.u.in6.sin6_addr))
		return error_set(error, 0, "'%s': write an IPv4 address as such", host);
	return 0;
}

/* ADDR:PORT or [ADDR6]:PORT or PORT. */
static int endpoint_ip(struct conf_endpoint *endpoint, const char *text, struct error *error)
{
	const char *colon = strrchr(text, ':');
	bool brackets = *text == '[';
	struct addr addr;
	char host[80];
	size_t length;

	endpoint->host = HOST_ANY;
	if (colon == NULL && addr_parse_ip(text, 0, &addr) == 0)
		return error_set(error, 0, "the port is missing: write %.60s:PORT", text);
	if (colon == NULL)
		return endpoint_ports(endpoint, text, error);
	length = (size_t)(colon - text);
	if (length == 0)
		return error_set(error, 0, "the address before ':' is missing in '%.80s'", text);
	if (brackets ? length < 2 || colon[-1] != ']' : memchr(text, ':', length) != NULL)
		return error_set(error, 0,
			"'%.80s' is not of the form [ADDRESS]:PORT that an IPv6 address needs",
			text);
	if (brackets)
		length -= 2;
	if (length >= sizeof(host))
		return error_set(error, 0, "'%.80s...' is not an address", text);
	memcpy(host, text + brackets, length);
	host[length] = '\0';
	if (endpoint_host(endpoint, host, brackets, error) != 0)
		return -1;
	return endpoint_ports(endpoint, colon + 1, error);
}

int conf_endpoint_parse(const char *text, struct conf_endpoint *endpoint, struct error *error)
{
	const struct endpoint_prefix *prefix = endpoint_prefixes;

	*endpoint = (struct conf_endpoint){0};
	while (prefix->text != NULL && strncmp(text, prefix->text, strlen(prefix->text)) != 0)
		prefix++;
	endpoint->type = prefix->type;
	if (prefix->text != NULL)
		text += strlen(prefix->text);
	return prefix->unix_family ? endpoint_unix(endpoint, text, error)
				   : endpoint_ip(endpoint, text, error);
}

int conf_endpoint_from_name(const char *name, struct conf_endpoint *endpoint)
{
	const struct servent *entry = getservbyname(name, "tcp");

	if (entry == NULL)
		return -1;
	*endpoint = (struct conf_endpoint){.type = SOCK_STREAM, .host = HOST_ANY};
	endpoint->first = endpoint->last = ntohs((uint16_t)entry->s_port);
	return endpoint->first == 0 ? -1 : 0;
}

static bool endpoint_has_both_families(const struct conf_endpoint *endpoint)
{
	return endpoint->host == HOST_ANY || endpoint->host == HOST_LOCALHOST;
}

size_t conf_endpoint_socket_count(const struct conf_endpoint *endpoint)
{
	size_t ports = (size_t)(endpoint->last - endpoint->first) + 1;

	return endpoint_has_both_families(endpoint) ? 2 * ports : ports;
}

static void endpoint_set_port(struct addr *addr, uint16_t port)
{
	if (addr_family(addr) == AF_INET)
		addr->u.in.sin_port = htons(port);
	else if (addr_family(addr) == AF_INET6)
		addr->u.in6.sin6_port = htons(port);
}

void conf_endpoint_get(
	const struct conf_endpoint *endpoint, size_t index, struct conf_endpoint_socket *socket)
{
	bool both = endpoint_has_both_families(endpoint);
	uint16_t port = (uint16_t)(endpoint->first + (both ? index / 2 : index));
	int family = index % 2 == 0 ? AF_INET : AF_INET6;

	socket->family_half = both;
	if (!both) {
		socket->addr = endpoint->addr;
		endpoint_set_port(&socket->addr, port);
		return;
	}
	addr_set_wildcard(family, port, &socket->addr);
	if (endpoint->host != HOST_LOCALHOST)
		return;
	if (family == AF_INET)
		socket->addr.u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		socket->addr.u.in6.sin6_addr = in6addr_loopback;
}

char *conf_socket_format(int type, const struct addr *addr, char text[CONF_SOCKET_TEXT_SIZE])
{
	char address[ADDR_TEXT_SIZE];

	addr_format(addr, address);
	if (addr_family(addr) != AF_UNIX)
		snprintf(text, CONF_SOCKET_TEXT_SIZE, "%s %s", type == SOCK_DGRAM ? "udp" : "tcp",
			address);
	else
		snprintf(text, CONF_SOCKET_TEXT_SIZE, "unix%s %s",
			type == SOCK_DGRAM       ? "-dgram"
			: type == SOCK_SEQPACKET ? "-seqpacket"
						 : "",
			address + strlen("unix:"));
	return text;
}
