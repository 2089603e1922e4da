/*
 * connect: from a host and a port as a person types them to a connected socket.
 */
#include "config.h"
#include "services/clients/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Room for "[", an address with its zone, "]:", and a port. */
enum { ENDPOINT_SIZE = NI_MAXHOST + NI_MAXSERV + 4 };

int64_t connect_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Says what to do about a local port that cannot be had. */
static int bind_fault(uint16_t port, int code, struct fault *fault)
{
	const char *advice = "";

	if (code == EADDRINUSE)
		advice = ": another program is using this port, or an earlier connection from it"
			 " is still in TIME_WAIT; choose another port or wait a minute";
	else if (code == EACCES)
		advice = ": ports below 1024 are for root; choose a port from 1024 up";
	fault_set(fault, code, "bind to local port %u", port);
	if (*advice != '\0') {
		struct fault plain = *fault;

		fault_set(fault, 0, "%.200s%s", plain.text, advice);
	}
	return -1;
}

/*
 * Binds the local port.  A stream socket may take a port that an earlier connection has left in
 * TIME_WAIT (SO_REUSEADDR); for datagrams the same option would let two programs share the port.
 */
static int socket_bind(int fd, int family, int type, uint16_t port, struct fault *fault)
{
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_ANY)};
	int on = 1;
	int result;

	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6) {
		/* Else this socket would claim the port of IPv4 too. */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		result = bind(fd, (const struct sockaddr *)&v6, sizeof(v6));
	} else {
		result = bind(fd, (const struct sockaddr *)&v4, sizeof(v4));
	}
	return result == 0 ? 0 : bind_fault(port, errno, fault);
}

/* Waits for a connect under way.  Returns 0 or an errno value, ETIMEDOUT at the dead-line. */
static int connect_wait(int fd, int64_t deadline_ms)
{
	struct pollfd waited = {.fd = fd, .events = POLLOUT};
	int error = 0;
	socklen_t length = sizeof(error);
	int ready;

	do {
		int64_t left_ms = deadline_ms - connect_now_ms();

		ready = poll(&waited, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return errno;
	if (ready == 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return errno;
	return error;
}

static int connect_fault(const struct connect_target *target, int code, struct fault *fault)
{
	if (code == ETIMEDOUT)
		return fault_set(
			fault, 0, "connect to %.200s %.50s: timed out", target->host, target->port);
	if (code == ECONNRESET) /* refused while connecting is ECONNREFUSED: it was connected */
		return fault_set(fault, code, "server terminated prematurely");
	fault_set(fault, code, "connect to %.200s %.50s", target->host, target->port);
	if (code == EADDRNOTAVAIL && target->local_port != 0) {
		struct fault plain = *fault;

		fault_set(fault, 0,
			"%.330s: a connection from local port %u to this server exists or is in"
			" TIME_WAIT; choose another port or wait a minute",
			plain.text, target->local_port);
	}
	return -1;
}

/* Tries one address until the dead-line.  Returns the socket, or -1 with *fault set. */
static int connect_address(const struct connect_target *target, const struct addrinfo *address,
	int64_t deadline_ms, struct fault *fault)
{
	int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
		address->ai_protocol);
	int on = 1;
	int code = 0;

	if (fd < 0)
		return connect_fault(target, errno, fault);
	if (target->local_port != 0 && socket_bind(fd, address->ai_family, address->ai_socktype,
					       target->local_port, fault) < 0)
		goto fail;
	if (address->ai_socktype == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
		code = errno == EINPROGRESS ? connect_wait(fd, deadline_ms) : errno;
	if (code == 0 && fcntl(fd, F_SETFL, 0) < 0)
		code = errno;
	if (code == 0)
		return fd;
	connect_fault(target, code, fault);
fail:
	close(fd);
	return -1;
}

/*
 * getaddrinfo(3) reads a number as strtoul(3) does, with blanks and a sign before it, and cuts it
 * to 16 bits: it would connect to another port than was asked for.
 */
bool connect_port_valid(const char *text)
{
	unsigned long number;
	char *end;

	if (*text == '\0' || strchr("+- \t\n\v\f\r", *text) != NULL)
		return false;
	number = strtoul(text, &end, 10);
	return *end != '\0' || (number >= 1 && number <= UINT16_MAX);
}

static int address_count(const struct addrinfo *list)
{
	int count = 0;

	for (; list != NULL; list = list->ai_next)
		count++;
	return count;
}

int connect_open(const struct connect_target *target, struct fault *fault)
{
	struct addrinfo hints = {.ai_family = target->family, .ai_socktype = target->type};
	struct addrinfo *list;
	const struct addrinfo *address;
	int64_t deadline_ms;
	int count;
	int fd = -1;
	int code = getaddrinfo(target->host, target->port, &hints, &list);

	if (code != 0)
		return fault_set(fault, 0, "resolve %.200s %.50s: %s", target->host, target->port,
			code == EAI_SYSTEM ? "system error" : gai_strerror(code));
	deadline_ms = connect_now_ms() + target->timeout_ms;
	count = address_count(list);
	for (address = list; address != NULL && fd < 0; address = address->ai_next) {
		int64_t now_ms = connect_now_ms();

		fd = connect_address(
			target, address, now_ms + (deadline_ms - now_ms) / count, fault);
		count--;
	}
	freeaddrinfo(list);
	return fd;
}

/* Writes "127.0.0.1:7" or "[::1]:7". */
static int endpoint_print(
	const struct sockaddr_storage *address, socklen_t length, size_t size, char *text)
{
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];
	int code = getnameinfo((const struct sockaddr *)address, length, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);

	if (code != 0)
		return -1;
	snprintf(text, size, address->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return 0;
}

int connect_describe(int socket, size_t size, char *text, struct fault *fault)
{
	struct sockaddr_storage local;
	struct sockaddr_storage remote;
	socklen_t local_length = sizeof(local);
	socklen_t remote_length = sizeof(remote);
	char from[ENDPOINT_SIZE];
	char to[ENDPOINT_SIZE];

	if (getsockname(socket, (struct sockaddr *)&local, &local_length) < 0)
		return fault_set(fault, errno, "getsockname");
	if (getpeername(socket, (struct sockaddr *)&remote, &remote_length) < 0)
		/* ENOTCONN: reset between connect and here. */
		return fault_set(fault, errno == ENOTCONN ? ECONNRESET : errno,
			"server terminated prematurely");
	if (endpoint_print(&local, local_length, sizeof(from), from) < 0 ||
		endpoint_print(&remote, remote_length, sizeof(to), to) < 0)
		return fault_set(fault, 0, "address of the connection cannot be printed");
	snprintf(text, size, "local %s to %s", from, to);
	return 0;
}
