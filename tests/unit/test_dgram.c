/*
 * Tests of services/lib/dgram: which datagrams may be answered, and from which address.
 */
#include "config.h"

#include "services/lib/dgram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define OWN_PORT 7007

/* *address from text; returns its length. */
static socklen_t address_parse(const char *text, uint16_t port, struct sockaddr_storage *address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(address, &in, sizeof(in));
		return sizeof(in);
	}
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	memcpy(address, &in6, sizeof(in6));
	return sizeof(in6);
}

static void in6_parse(const char *text, struct in6_addr *ip)
{
	assert_int_equal(inet_pton(AF_INET6, text, ip), 1);
}

static void addresses_are_judged(void **state)
{
	static const struct {
		const char *source;
		uint16_t port;
		const char *to;    /* "::": not known */
		const char *local; /* the kernel's choice for the answer; 0.0.0.0: not known */
		enum dgram_verdict verdict;
	} cases[] = {
		{"192.0.2.7", 40000, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_ANSWER},
		{"192.0.2.7", 40000, "::ffff:192.0.2.1", "0.0.0.0", DGRAM_ANSWER},
		{"192.0.2.7", 40000, "::", "0.0.0.0", DGRAM_ANSWER},
		{"192.0.2.7", 1, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_ANSWER},
		{"192.0.2.7", 65535, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_ANSWER},
		{"2001:db8::7", 40000, "2001:db8::1", "0.0.0.0", DGRAM_ANSWER},
		{"fe80::7", 40000, "fe80::1", "0.0.0.0", DGRAM_ANSWER},
		{"::ffff:192.0.2.7", 40000, "::ffff:192.0.2.1", "0.0.0.0", DGRAM_ANSWER},
		{"192.0.2.7", 0, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SERVICE_PORT},
		{"192.0.2.7", 7, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SERVICE_PORT},
		{"192.0.2.7", 13, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SERVICE_PORT},
		{"192.0.2.7", 17, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SERVICE_PORT},
		{"192.0.2.7", 19, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SERVICE_PORT},
		{"192.0.2.7", 37, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SERVICE_PORT},
		{"2001:db8::7", 19, "2001:db8::1", "0.0.0.0", DGRAM_SERVICE_PORT},
		{"::ffff:192.0.2.7", 7, "::ffff:192.0.2.1", "0.0.0.0", DGRAM_SERVICE_PORT},
		{"192.0.2.7", OWN_PORT, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_OWN_PORT},
		{"2001:db8::7", OWN_PORT, "2001:db8::1", "0.0.0.0", DGRAM_OWN_PORT},
		{"255.255.255.255", 40000, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SOURCE_ADDRESS},
		{"224.0.0.1", 40000, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SOURCE_ADDRESS},
		{"239.255.255.255", 40000, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SOURCE_ADDRESS},
		{"0.0.0.0", 40000, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_SOURCE_ADDRESS},
		{"ff02::1", 40000, "2001:db8::1", "0.0.0.0", DGRAM_SOURCE_ADDRESS},
		{"::", 40000, "2001:db8::1", "0.0.0.0", DGRAM_SOURCE_ADDRESS},
		{"::ffff:224.0.0.1", 40000, "::ffff:192.0.2.1", "0.0.0.0", DGRAM_SOURCE_ADDRESS},
		{"192.0.2.7", 40000, "::ffff:255.255.255.255", "192.0.2.1",
			DGRAM_DESTINATION_ADDRESS},
		{"192.0.2.7", 40000, "::ffff:255.255.255.255", "0.0.0.0",
			DGRAM_DESTINATION_ADDRESS},
		{"192.0.2.7", 40000, "::ffff:192.0.2.255", "192.0.2.1", DGRAM_DESTINATION_ADDRESS},
		{"192.0.2.7", 40000, "::ffff:224.0.0.251", "0.0.0.0", DGRAM_DESTINATION_ADDRESS},
		{"2001:db8::7", 40000, "ff02::1", "0.0.0.0", DGRAM_DESTINATION_ADDRESS},
		{"223.255.255.255", 40000, "::ffff:192.0.2.1", "192.0.2.1", DGRAM_ANSWER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dgram_socket from = {.fd = -1, .port = OWN_PORT};
		struct dgram dgram = {0};

		dgram.source_length = address_parse(cases[i].source, cases[i].port, &dgram.source);
		from.family = dgram.source.ss_family;
		in6_parse(cases[i].to, &dgram.to);
		assert_int_equal(inet_pton(AF_INET, cases[i].local, &dgram.local), 1);
		assert_int_equal(dgram_judge_addresses(&from, &dgram), cases[i].verdict);
	}
}

static void unix_datagrams_need_somebody_to_answer(void **state)
{
	struct dgram_socket from = {.family = AF_UNIX};
	struct dgram dgram = {0};

	(void)state;
	assert_int_equal(dgram_judge(&from, &dgram), DGRAM_NO_SOURCE);
	from.connected = true;
	assert_int_equal(dgram_judge(&from, &dgram), DGRAM_ANSWER);
	from.connected = false;
	dgram.source_length = sizeof(struct sockaddr_un);
	assert_int_equal(dgram_judge(&from, &dgram), DGRAM_ANSWER);
}

static void the_own_port_matters_on_the_own_host_only(void **state)
{
	static const struct {
		const char *source;
		enum dgram_verdict verdict;
	} cases[] = {
		{"127.0.0.1", DGRAM_OWN_PORT}, {"127.0.0.9", DGRAM_OWN_PORT},
		{"192.0.2.7", DGRAM_ANSWER}, /* a network for documentation: nobody's */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dgram_socket from = {.family = AF_INET, .port = OWN_PORT};
		struct dgram dgram = {0};

		dgram.source_length = address_parse(cases[i].source, OWN_PORT, &dgram.source);
		assert_int_equal(dgram_judge(&from, &dgram), cases[i].verdict);
	}
}

/* A socket bound to text; *port is its port.  -1 where the machine lacks the address. */
static int socket_bind(const char *text, uint16_t *port)
{
	struct sockaddr_storage address;
	socklen_t length = address_parse(text, 0, &address);
	int fd = socket(address.ss_family, SOCK_DGRAM, 0), off = 0;

	if (address.ss_family == AF_INET6 && fd >= 0)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0)
		return -1;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
						   : ((struct sockaddr_in6 *)&address)->sin6_port);
	return fd;
}

/*
 * Sends to a server on the wildcard address by one of the host's addresses, and checks that the
 * answer comes from there; early: before the server has asked for destinations.
 */
static void answer_check(
	const char *wildcard, const char *client_address, const char *target, bool early)
{
	struct io_deadline deadline = io_deadline_total(5000);
	struct sockaddr_storage to, origin;
	struct dgram_socket from;
	struct dgram dgram;
	uint16_t port, client_port;
	char data[16];
	socklen_t length;
	int server = socket_bind(wildcard, &port);
	int client = socket_bind(client_address, &client_port);

	assert_true(server >= 0 && client >= 0);
	length = address_parse(target, port, &to);
	if (!early)
		assert_int_equal(dgram_open(server, &from), 0);
	assert_int_equal(sendto(client, "ping", 4, 0, (struct sockaddr *)&to, length), 4);
	assert_int_equal(io_wait(server, POLLIN, &deadline), 0);
	if (early)
		assert_int_equal(dgram_open(server, &from), 0);
	assert_int_equal(from.port, port);
	assert_false(from.connected);
	assert_int_equal(dgram_receive(&from, data, sizeof(data), &deadline, &dgram), 4);
	assert_int_equal(dgram_judge(&from, &dgram), DGRAM_ANSWER);
	assert_int_equal(dgram_answer(&from, &dgram, "pong", 4), 0);
	assert_int_equal(io_wait(client, POLLIN, &deadline), 0);
	length = sizeof(origin);
	assert_int_equal(
		recvfrom(client, data, sizeof(data), 0, (struct sockaddr *)&origin, &length), 4);
	assert_memory_equal(data, "pong", 4);
	assert_int_equal(length, address_parse(target, port, &to));
	assert_memory_equal(&origin, &to, length);
	close(server);
	close(client);
}

static void answers_come_from_the_address_asked(void **state)
{
	(void)state;
	answer_check("0.0.0.0", "127.0.0.1", "127.0.0.2", false);
	answer_check("0.0.0.0", "127.0.0.1", "127.0.0.2", true);
	answer_check("127.0.0.3", "127.0.0.1", "127.0.0.3", true);
}

static void answers_come_from_the_address_asked_in_ip6(void **state)
{
	uint16_t port;
	int probe = socket_bind("::1", &port);

	(void)state;
	if (probe < 0) {
		print_message("skipped: this machine has no ::1\n");
		skip();
	}
	close(probe);
	answer_check("::", "::1", "::1", false);
	answer_check("::", "::1", "::1", true);
	/* One socket for both families, as some programs open it. */
	answer_check("::", "127.0.0.1", "127.0.0.2", false);
	answer_check("::", "127.0.0.1", "127.0.0.2", true);
}

static void empty_datagrams_are_received(void **state)
{
	struct io_deadline deadline = io_deadline_total(5000);
	struct dgram_socket from;
	struct dgram dgram;
	char data[16];
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	assert_int_equal(dgram_open(pair[0], &from), 0);
	assert_true(from.connected);
	assert_int_equal(send(pair[1], "", 0, 0), 0);
	assert_int_equal(dgram_receive(&from, data, sizeof(data), &deadline, &dgram), 0);
	assert_int_equal(dgram.source_length, 0);
	assert_int_equal(dgram_answer(&from, &dgram, "x", 1), 0);
	assert_int_equal(recv(pair[1], data, sizeof(data), 0), 1);
	deadline = io_deadline_total(10);
	assert_int_equal(dgram_receive(&from, data, sizeof(data), &deadline, &dgram), -1);
	assert_int_equal(errno, ETIMEDOUT);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(dgram_open(pair[0], &from), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_judged),
		cmocka_unit_test(unix_datagrams_need_somebody_to_answer),
		cmocka_unit_test(the_own_port_matters_on_the_own_host_only),
		cmocka_unit_test(answers_come_from_the_address_asked),
		cmocka_unit_test(answers_come_from_the_address_asked_in_ip6),
		cmocka_unit_test(empty_datagrams_are_received),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
