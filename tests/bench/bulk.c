/*
 * bulk: what one connection carries, and how many datagrams a second are answered.
 *
 *     tests/bench/bulk [-t SECONDS] echo|discard|datagrams ADDRESS PORT
 *
 * echo: bytes that came back, a second.  discard: bytes that the other side took, a second; the
 * clock stops when it has seen the end of file and closed.  datagrams: replies a second with
 * WINDOW datagrams on their way; where nothing comes for RESEND_MS, so many are sent again and
 * counted as lost.  Prints one JSON object.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define CHUNK 65536
#define PATIENCE_MS 5000
#define WINDOW 16
#define RESEND_MS 100
#define DATAGRAM_BYTES 64

struct bulk {
	int fd;
	double seconds;
	int64_t begin_ns;
	int64_t end_ns;
	uint64_t sent;
	uint64_t received;
	uint64_t lost;
	char buffer[CHUNK];
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "bulk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void bulk_wait(struct bulk *bulk, short events)
{
	struct pollfd waited = {.fd = bulk->fd, .events = events};
	int count = poll(&waited, 1, PATIENCE_MS);

	if (count < 0 && errno != EINTR)
		fail("poll");
	if (count == 0) {
		errno = ETIMEDOUT;
		fail("nothing moves");
	}
}

/* One write, if the socket takes any now. */
static bool bulk_send(struct bulk *bulk)
{
	ssize_t sent = send(bulk->fd, bulk->buffer, sizeof(bulk->buffer), MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		fail("send");
	if (sent > 0)
		bulk->sent += (uint64_t)sent;
	return sent > 0;
}

/* Whether anything was there; *over at the end of file. */
static bool bulk_receive(struct bulk *bulk, bool *over)
{
	ssize_t got = recv(bulk->fd, bulk->buffer, sizeof(bulk->buffer), 0);

	if (got < 0 && errno != EAGAIN && errno != EINTR)
		fail("recv");
	if (got > 0)
		bulk->received += (uint64_t)got;
	*over = got == 0;
	return got > 0;
}

/* All that is sent comes back. */
static void bulk_echo(struct bulk *bulk)
{
	bool over = false;
	bool sending = true;

	while (!over) {
		bool moved = false;

		if (sending && now_ns() >= bulk->end_ns) {
			shutdown(bulk->fd, SHUT_WR);
			sending = false;
		}
		if (sending)
			moved = bulk_send(bulk);
		moved = bulk_receive(bulk, &over) || moved;
		if (!moved && !over)
			bulk_wait(bulk, sending ? POLLIN | POLLOUT : POLLIN);
	}
	if (bulk->received != bulk->sent) {
		errno = EPROTO;
		fail("not all came back");
	}
}

static void bulk_discard(struct bulk *bulk)
{
	bool over = false;

	while (now_ns() < bulk->end_ns) {
		if (!bulk_send(bulk))
			bulk_wait(bulk, POLLOUT);
	}
	shutdown(bulk->fd, SHUT_WR);
	while (!over) {
		if (!bulk_receive(bulk, &over) && !over)
			bulk_wait(bulk, POLLIN);
	}
}

static void bulk_datagrams(struct bulk *bulk)
{
	size_t missing = WINDOW;

	while (now_ns() < bulk->end_ns) {
		struct pollfd waited = {.fd = bulk->fd, .events = POLLIN};

		for (; missing > 0; missing--) {
			if (send(bulk->fd, bulk->buffer, DATAGRAM_BYTES, 0) < 0 &&
				errno != EAGAIN && errno != ECONNREFUSED)
				fail("send");
			bulk->sent++;
		}
		if (poll(&waited, 1, RESEND_MS) == 0) {
			missing = WINDOW;
			bulk->lost += WINDOW;
			continue;
		}
		while (recv(bulk->fd, bulk->buffer, sizeof(bulk->buffer), 0) >= 0) {
			bulk->received++;
			missing++;
		}
	}
}

static void bulk_connect(struct bulk *bulk, int type, const char *address, const char *port)
{
	struct sockaddr_in server = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, address, &server.sin_addr) != 1) {
		errno = EINVAL;
		fail(address);
	}
	if (fd < 0 || connect(fd, (const struct sockaddr *)&server, sizeof(server)) != 0)
		fail("connect");
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	bulk->fd = fd;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int type;
		void (*run)(struct bulk *bulk);
	} kinds[] = {{"echo", SOCK_STREAM, bulk_echo}, {"discard", SOCK_STREAM, bulk_discard},
		{"datagrams", SOCK_DGRAM, bulk_datagrams}};
	struct bulk bulk = {.seconds = 2, .fd = -1};
	int option;
	double seconds;

	while ((option = getopt(argc, argv, "t:")) != -1)
		bulk.seconds = option == 't' ? strtod(optarg, NULL) : 0;
	for (size_t i = 0; optind == argc - 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[optind], kinds[i].name) != 0 || bulk.seconds <= 0)
			continue;
		memset(bulk.buffer, 'x', sizeof(bulk.buffer));
		bulk_connect(&bulk, kinds[i].type, argv[optind + 1], argv[optind + 2]);
		bulk.begin_ns = now_ns();
		bulk.end_ns = bulk.begin_ns + (int64_t)(bulk.seconds * (double)NS_PER_S);
		kinds[i].run(&bulk);
		seconds = (double)(now_ns() - bulk.begin_ns) / (double)NS_PER_S;
		printf("{\"sent\": %llu, \"received\": %llu, \"lost\": %llu, \"seconds\": %.6f}\n",
			(unsigned long long)bulk.sent, (unsigned long long)bulk.received,
			(unsigned long long)bulk.lost, seconds);
		return 0;
	}
	fputs("usage: bulk [-t SECONDS] echo|discard|datagrams ADDRESS PORT\n", stderr);
	return 2;
}
