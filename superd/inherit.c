/*
 * inherit: what a given socket is, and which endpoint it fits.
 */
#include "config.h"
#include "superd/inherit.h"

#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int socket_number(int fd, int level, int option)
{
	int value = 0;
	socklen_t length = sizeof(value);

	return getsockopt(fd, level, option, &value, &length) == 0 ? value : -1;
}

/* Whether it speaks what its family and type mean to superd: TCP, UDP, or unix. */
static bool socket_is_usual(const struct inherit_socket *socket)
{
	int protocol = socket_number(socket->fd, SOL_SOCKET, SO_PROTOCOL);

	if (addr_family(&socket->addr) == AF_UNIX)
		return true;
	if (socket->type == SOCK_STREAM)
		return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
	return socket->type == SOCK_DGRAM && protocol == IPPROTO_UDP;
}

static bool socket_is_bound(const struct inherit_socket *socket)
{
	const struct addr *addr = &socket->addr;

	if (addr_family(addr) == AF_UNIX)
		return addr->length > offsetof(struct sockaddr_un, sun_path);
	return addr_port(addr) != 0;
}

/* A stream need not listen yet: whoever takes it calls listen(2). */
static const char *socket_problem(const struct inherit_socket *socket)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	bool connected = getpeername(socket->fd, (struct sockaddr *)&peer, &length) == 0;
	int family = addr_family(&socket->addr);

	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return "is of a family that no endpoint can be";
	if (!socket_is_usual(socket))
		return "speaks a protocol that no endpoint can be";
	if (connected)
		return "is connected, and no endpoint (a systemd unit needs Accept=no)";
	if (!socket_is_bound(socket))
		return "is bound to nothing";
	return NULL;
}

/* Asks the kernel what the socket is. */
static void socket_look(struct inherit_socket *socket)
{
	socklen_t length = sizeof(socket->device);
	struct addr *addr = &socket->addr;

	socket->type = socket_number(socket->fd, SOL_SOCKET, SO_TYPE);
	addr->length = sizeof(addr->u);
	if (socket->type < 0 || getsockname(socket->fd, &addr->u.any, &addr->length) != 0) {
		socket->problem = "is no socket";
		return;
	}
	if (getsockopt(socket->fd, SOL_SOCKET, SO_BINDTODEVICE, socket->device, &length) != 0)
		socket->device[0] = '\0';
	socket->device[sizeof(socket->device) - 1] = '\0';
	socket->dual = addr_family(addr) == AF_INET6 && addr_is_wildcard(addr) &&
		       socket_number(socket->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
	if (!socket->used)
		socket->problem = socket_problem(socket);
}

static int inherit_reserve(struct inherit *pool)
{
	size_t capacity = pool->capacity == 0 ? 8 : pool->capacity * 2;
	struct inherit_socket *grown;

	if (pool->count < pool->capacity)
		return 0;
	grown = realloc(pool->sockets, capacity * sizeof(*grown));
	if (grown == NULL)
		return -1;
	pool->sockets = grown;
	pool->capacity = capacity;
	return 0;
}

static int inherit_put(struct inherit *pool, int fd, bool lent, bool used)
{
	struct inherit_socket *socket;

	if (inherit_reserve(pool) != 0) {
		close(fd);
		return -1;
	}
	socket = &pool->sockets[pool->count++];
	*socket = (struct inherit_socket){.number = fd, .lent = lent, .used = used};
	socket->fd = descriptor_raise(fd);
	socket_look(socket);
	return 0;
}

int inherit_add(struct inherit *pool, int fd, bool lent)
{
	return inherit_put(pool, fd, lent, false);
}

int inherit_add_used(struct inherit *pool, int fd, bool lent)
{
	return inherit_put(pool, fd, lent, true);
}

/* A whole number of the environment; -1 where it is none. */
static long environment_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long number;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	number = strtol(text, &end, 10);
	return *end == '\0' && errno == 0 ? number : -1;
}

int inherit_listen_fds(struct inherit *pool, const char **problem)
{
	long count = environment_number("LISTEN_FDS");
	int result = 0;

	if (environment_number("LISTEN_PID") != getpid())
		return 0; /* for another process, or nothing at all */
	if (count < 0 || count > INT_MAX - INHERIT_FIRST_FD) {
		*problem = "LISTEN_FDS is not a number of descriptors";
		result = -1;
	}
	for (int i = 0; result == 0 && i < count; i++) {
		struct stat status;

		if (fstat(INHERIT_FIRST_FD + i, &status) != 0) {
			*problem = "LISTEN_FDS counts descriptors that are not open";
			result = -1;
		} else if (inherit_add(pool, INHERIT_FIRST_FD + i, true) != 0) {
			*problem = "no memory for the sockets of LISTEN_FDS";
			result = -1;
		}
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return result;
}

static bool socket_is_on(const struct inherit_socket *socket, int type, const char *device)
{
	return socket->problem == NULL && socket->type == type &&
	       strcmp(socket->device, device != NULL ? device : "") == 0;
}

/* A socket for both families serves an endpoint of both, and none that is of IPv6 alone. */
static bool socket_fits(
	const struct inherit_socket *socket, const struct conf_socket *conf, const char *device)
{
	return socket->fd >= 0 && socket_is_on(socket, conf->type, device) &&
	       (!socket->dual || conf->family_half) && addr_equal(&socket->addr, &conf->addr);
}

static bool socket_covers(
	const struct inherit_socket *socket, const struct conf_socket *conf, const char *device)
{
	return socket->dual && socket_is_on(socket, conf->type, device) &&
	       addr_port(&socket->addr) == addr_port(&conf->addr);
}

/* Whether the other half, IPv6, was or will be one socket for both families. */
static bool inherit_covers(
	const struct inherit *pool, const struct conf_socket *conf, const char *device)
{
	if (!conf->family_half || addr_family(&conf->addr) != AF_INET)
		return false;
	for (size_t i = 0; i < pool->count; i++) {
		if (socket_covers(&pool->sockets[i], conf, device))
			return true;
	}
	return false;
}

enum inherit_result inherit_take(struct inherit *pool, const struct conf_socket *socket,
	const char *device, struct inherit_taken *taken)
{
	for (size_t i = 0; i < pool->count; i++) {
		size_t at = (pool->next + i) % pool->count;
		struct inherit_socket *given = &pool->sockets[at];

		if (!socket_fits(given, socket, device))
			continue;
		*taken = (struct inherit_taken){
			.fd = given->fd, .lent = given->lent, .used = given->used};
		given->fd = -1;
		pool->next = at + 1;
		return INHERIT_TAKEN;
	}
	if (!inherit_covers(pool, socket, device))
		return INHERIT_NONE;
	*taken = (struct inherit_taken){.fd = -1, .lent = true};
	return INHERIT_COVERED;
}

bool inherit_has(const struct inherit *pool, const struct conf_socket *socket, const char *device)
{
	for (size_t i = 0; i < pool->count; i++) {
		if (socket_fits(&pool->sockets[i], socket, device))
			return true;
	}
	return inherit_covers(pool, socket, device);
}

/* "tcp 127.0.0.1:7", "unix-dgram /run/x": as endpoints are written. */
static void socket_name(const struct inherit_socket *socket, char text[2 * ADDR_TEXT_SIZE])
{
	char address[ADDR_TEXT_SIZE];
	const char *name = addr_format(&socket->addr, address);
	const char *kind = socket->type == SOCK_DGRAM ? "udp" : "tcp";

	if (addr_family(&socket->addr) == AF_UNIX) {
		name += strlen("unix:");
		kind = "unix";
		if (socket->type == SOCK_DGRAM)
			kind = "unix-dgram";
		else if (socket->type == SOCK_SEQPACKET)
			kind = "unix-seqpacket";
	}
	snprintf(text, 2 * ADDR_TEXT_SIZE, "%s %s%s%s", kind, name,
		socket->device[0] != '\0' ? " on " : "", socket->device);
}

static void socket_tell(const struct inherit_socket *socket,
	void (*unused_cb)(void *owner, const char *text), void *owner)
{
	const char *problem = socket->problem;
	char name[2 * ADDR_TEXT_SIZE];
	char text[4 * ADDR_TEXT_SIZE];

	if (problem != NULL) {
		snprintf(text, sizeof(text), "descriptor %d %s: closed", socket->number, problem);
	} else {
		socket_name(socket, name);
		snprintf(text, sizeof(text), "descriptor %d (%s) fits no endpoint%s: closed",
			socket->number, name, socket->dual ? " (it takes IPv4 too)" : "");
	}
	unused_cb(owner, text);
}

void inherit_close_rest(
	struct inherit *pool, void (*unused_cb)(void *owner, const char *text), void *owner)
{
	for (size_t i = 0; i < pool->count; i++) {
		const struct inherit_socket *socket = &pool->sockets[i];

		if (socket->fd < 0)
			continue;
		if (unused_cb != NULL)
			socket_tell(socket, unused_cb, owner);
		close(socket->fd);
	}
	free(pool->sockets);
	*pool = (struct inherit){0};
}
