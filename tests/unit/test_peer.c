/*
 * Tests of services/lib/peer and listen: addresses of every family, what the environment says.
 */
#include "config.h"

#include "services/lib/listen.h"
#include "services/lib/peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* *peer from a printed address, as the kernel would give it. */
static void peer_parse(const char *text, uint16_t port, uint32_t scope, struct peer *peer)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		peer_set(peer, (struct sockaddr *)&in, sizeof(in));
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
		peer_set(peer, (struct sockaddr *)&in6, sizeof(in6));
	}
}

static void addresses_are_printed(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
		uint32_t scope;
		const char *host;
		const char *text;
		bool loopback;
	} cases[] = {
		{"192.0.2.7", 41234, 0, "192.0.2.7", "192.0.2.7:41234", false},
		{"0.0.0.0", 0, 0, "0.0.0.0", "0.0.0.0:0", false},
		{"255.255.255.255", 65535, 0, "255.255.255.255", "255.255.255.255:65535", false},
		{"127.3.2.1", 1, 0, "127.3.2.1", "127.3.2.1:1", true},
		{"::ffff:192.0.2.7", 7, 0, "192.0.2.7", "192.0.2.7:7", false},
		{"::ffff:127.0.0.1", 7, 0, "127.0.0.1", "127.0.0.1:7", true},
		{"::", 7, 0, "::", "[::]:7", false},
		{"::1", 7, 0, "::1", "[::1]:7", true},
		{"1::", 7, 0, "1::", "[1::]:7", false},
		{"2001:db8::1", 7, 0, "2001:db8::1", "[2001:db8::1]:7", false},
		{"2001:0:0:1:0:0:0:1", 7, 0, "2001:0:0:1::1", "[2001:0:0:1::1]:7", false},
		{"2001:db8:0:1:1:1:1:1", 7, 0, "2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:7",
			false},
		{"2001:0:0:1:1:0:0:1", 7, 0, "2001::1:1:0:0:1", "[2001::1:1:0:0:1]:7", false},
		{"fe80::1", 7, 2, "fe80::1%2", "[fe80::1%2]:7", false},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535, UINT32_MAX,
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535", false},
	};
	char text[PEER_TEXT_SIZE];
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		peer_parse(cases[i].address, cases[i].port, cases[i].scope, &peer);
		assert_string_equal(peer_format_host(&peer, text), cases[i].host);
		assert_string_equal(peer_format(&peer, text), cases[i].text);
		assert_int_equal(peer_is_loopback(&peer), cases[i].loopback);
	}
}

static void ip6_is_printed_as_libc_prints_it(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (unsigned round = 0; round < 20000; round++) {
		char text[PEER_TEXT_SIZE], wanted[INET6_ADDRSTRLEN];
		struct peer peer = {.family = AF_INET6};

		for (unsigned i = 0; i < 16; i += 2) {
			long group = random() % 3 ? random() % 2 * random() : random() % 20;

			peer.ip[i] = (uint8_t)(group >> 8);
			peer.ip[i + 1] = (uint8_t)group;
		}
		/* v4-compatible addresses are printed otherwise by libc, and are obsolete. */
		peer.ip[0] |= 0x20;
		assert_non_null(inet_ntop(AF_INET6, peer.ip, wanted, sizeof(wanted)));
		assert_string_equal(peer_format_host(&peer, text), wanted);
	}
}

static void strange_addresses_are_nobody(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr other = {.sa_family = AF_APPLETALK};
	char text[PEER_TEXT_SIZE];
	struct peer peer;

	(void)state;
	peer_set(&peer, (struct sockaddr *)&in, 0);
	assert_int_equal(peer.family, AF_UNSPEC);
	peer_set(&peer, (struct sockaddr *)&in, sizeof(in) - 1);
	assert_int_equal(peer.family, AF_UNSPEC);
	peer_set(&peer, &other, sizeof(other));
	assert_int_equal(peer.family, AF_UNSPEC);
	assert_string_equal(peer_format(&peer, text), "unknown");
	assert_string_equal(peer_format_host(&peer, text), "unknown");
	assert_false(peer_is_loopback(&peer));
}

static void sockets_tell_both_ends(void **state)
{
	char text[PEER_TEXT_SIZE], wanted[PEER_TEXT_SIZE];
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(in);
	struct peer peer;
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	int pair[2];

	(void)state;
	assert_int_equal(bind(server, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&in, &length), 0);
	assert_int_equal(peer_of(server, &peer), -1);
	assert_int_equal(peer.family, AF_UNSPEC);
	assert_int_equal(connect(client, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(peer_of(client, &peer), 0);
	snprintf(wanted, sizeof(wanted), "127.0.0.1:%u", ntohs(in.sin_port));
	assert_string_equal(peer_format(&peer, text), wanted);
	assert_int_equal(peer_local(server, &peer), 0);
	assert_string_equal(peer_format(&peer, text), wanted);
	close(client);
	close(server);
	assert_int_equal(peer_local(server, &peer), -1);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(peer_of(pair[0], &peer), 0);
	snprintf(wanted, sizeof(wanted), "unix:pid=%d,uid=%u", (int)getpid(), getuid());
	assert_string_equal(peer_format(&peer, text), wanted);
	assert_string_equal(peer_format_host(&peer, text), "unix");
	close(pair[0]);
	close(pair[1]);
}

static void the_environment_knows_the_client(void **state)
{
	static const struct {
		const char *host, *port, *text;
	} cases[] = {
		{"192.0.2.7", "4000", "192.0.2.7:4000"},
		{"2001:db8::1", "4000", "[2001:db8::1]:4000"},
		{"::ffff:192.0.2.7", "4000", "192.0.2.7:4000"},
		{"192.0.2.7", NULL, "192.0.2.7:0"},
		{NULL, "4000", "unknown"},
		{"192.0.2.7", "x", "unknown"},
		{"192.0.2.7", "65536", "unknown"},
		{"host.example", "4000", "unknown"},
		{"", "4000", "unknown"},
	};
	char text[PEER_TEXT_SIZE];
	int saved = dup(0), null = open("/dev/null", O_RDONLY);
	struct peer peer;

	(void)state;
	assert_int_equal(dup2(null, 0), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsetenv("REMOTE_ADDR");
		unsetenv("REMOTE_PORT");
		if (cases[i].host != NULL)
			setenv("REMOTE_ADDR", cases[i].host, 1);
		if (cases[i].port != NULL)
			setenv("REMOTE_PORT", cases[i].port, 1);
		peer_client(&peer);
		assert_string_equal(peer_format(&peer, text), cases[i].text);
	}
	unsetenv("REMOTE_ADDR");
	unsetenv("REMOTE_PORT");
	assert_int_equal(dup2(saved, 0), 0);
	close(saved);
	close(null);
}

static void listening_sockets_are_for_the_named_process(void **state)
{
	char own[16], other[16];
	const struct {
		const char *fds, *pid;
		int first;
		size_t count;
	} cases[] = {
		{NULL, NULL, 0, 1},
		{"2", NULL, 0, 1},
		{NULL, own, 0, 1},
		{"2", other, 0, 1},
		{"2", own, 3, 2},
		{"1", own, 3, 1},
		{"0", own, 0, 1},
		{"x", own, 0, 1},
		{"-1", own, 0, 1},
		{"99999999999999999999", own, 0, 1},
		{"2", "", 0, 1},
	};

	(void)state;
	snprintf(own, sizeof(own), "%d", (int)getpid());
	snprintf(other, sizeof(other), "%d", (int)getppid());
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int first = -1;

		unsetenv("LISTEN_FDS");
		unsetenv("LISTEN_PID");
		if (cases[i].fds != NULL)
			setenv("LISTEN_FDS", cases[i].fds, 1);
		if (cases[i].pid != NULL)
			setenv("LISTEN_PID", cases[i].pid, 1);
		assert_int_equal(listen_fds(&first), cases[i].count);
		assert_int_equal(first, cases[i].first);
	}
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_printed),
		cmocka_unit_test(ip6_is_printed_as_libc_prints_it),
		cmocka_unit_test(strange_addresses_are_nobody),
		cmocka_unit_test(sockets_tell_both_ends),
		cmocka_unit_test(the_environment_knows_the_client),
		cmocka_unit_test(listening_sockets_are_for_the_named_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
