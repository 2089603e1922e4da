/*
 * addr: parsing, equality and text of addresses and peers.
 */
#include "config.h"
#include "superd/addr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_parse_ip(void **state)
{
	static const struct {
		const char *text;
		uint16_t port;
		const char *result; /* NULL: no address */
	} cases[] = {
		{"127.0.0.1", 7, "127.0.0.1:7"},
		{"0.0.0.0", 65535, "0.0.0.0:65535"},
		{"255.255.255.255", 1, "255.255.255.255:1"},
		{"::1", 7, "[::1]:7"},
		{"::", 80, "[::]:80"},
		{"2001:DB8::0:1", 80, "[2001:db8::1]:80"},
		{"::ffff:192.0.2.7", 9, "[::ffff:192.0.2.7]:9"},
		{"fe80::1%lo", 9, "[fe80::1%1]:9"},
		{"fe80::1%7", 9, "[fe80::1%7]:9"},
		{"fe80::1", 9, "[fe80::1]:9"},
		{"", 1, NULL},
		{"127.1", 1, NULL},
		{"127.0.0.256", 1, NULL},
		{"010.0.0.1", 1, NULL},
		{"0x7f.0.0.1", 1, NULL},
		{"127.0.0.1 ", 1, NULL},
		{"localhost", 1, NULL},
		{"[::1]", 1, NULL},
		{":::", 1, NULL},
		{"1:2:3:4:5:6:7:8:9", 1, NULL},
		{"fe80::1%", 1, NULL},
		{"fe80::1%nosuchinterface", 1, NULL},
		{"fe80::1%0", 1, NULL},
		{"fe80::1%4294967296", 1, NULL},
		{"fe80::1%2x", 1, NULL},
		{"::1%lo", 1, NULL},
		{"127.0.0.1%lo", 1, NULL},
		{"11111111111111111111111111111111111111111111111111111111111111111111", 1, NULL},
	};
	char text[ADDR_TEXT_SIZE];
	struct addr addr;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		int rc = addr_parse_ip(cases[i].text, cases[i].port, &addr);

		if ((rc == 0) != (cases[i].result != NULL))
			fail_msg("'%s': returned %d", cases[i].text, rc);
		if (rc == 0) {
			assert_string_equal(addr_format(&addr, text), cases[i].result);
			assert_int_equal(addr_port(&addr), cases[i].port);
		}
	}
}

static void test_wildcard(void **state)
{
	char text[ADDR_TEXT_SIZE];
	struct addr addr;

	(void)state;
	addr_set_wildcard(AF_INET, 7, &addr);
	assert_true(addr_is_wildcard(&addr));
	assert_int_equal(addr_family(&addr), AF_INET);
	assert_int_equal(addr.length, sizeof(struct sockaddr_in));
	assert_string_equal(addr_format(&addr, text), "0.0.0.0:7");
	addr_set_wildcard(AF_INET6, 7, &addr);
	assert_true(addr_is_wildcard(&addr));
	assert_int_equal(addr_family(&addr), AF_INET6);
	assert_int_equal(addr.length, sizeof(struct sockaddr_in6));
	assert_string_equal(addr_format(&addr, text), "[::]:7");
	assert_int_equal(addr_parse_ip("127.0.0.1", 7, &addr), 0);
	assert_false(addr_is_wildcard(&addr));
	assert_int_equal(addr_set_unix("/x", &addr), 0);
	assert_false(addr_is_wildcard(&addr));
}

static void test_unix(void **state)
{
	char path[200], text[ADDR_TEXT_SIZE];
	struct addr addr;

	(void)state;
	assert_int_equal(addr_set_unix("/run/x", &addr), 0);
	assert_int_equal(addr_family(&addr), AF_UNIX);
	assert_int_equal(addr_port(&addr), 0);
	assert_int_equal(addr.length, offsetof(struct sockaddr_un, sun_path) + 7);
	assert_string_equal(addr_format(&addr, text), "unix:/run/x");
	assert_int_equal(addr_set_unix("@name", &addr), 0);
	assert_int_equal(addr.u.un.sun_path[0], 0);
	assert_int_equal(addr.length, offsetof(struct sockaddr_un, sun_path) + 5);
	assert_string_equal(addr_format(&addr, text), "unix:@name");
	assert_int_equal(addr_set_unix("/a b\n\\", &addr), 0);
	assert_string_equal(addr_format(&addr, text), "unix:/a\\x20b\\x0a\\x5c");

	assert_int_equal(addr_set_unix("", &addr), -1);
	assert_int_equal(addr_set_unix("@", &addr), -1);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	assert_int_equal(addr_set_unix(path, &addr), 0);
	path[107] = 'x';
	path[108] = '\0';
	assert_int_equal(addr_set_unix(path, &addr), -1);
	path[0] = '@';
	assert_int_equal(addr_set_unix(path, &addr), 0);
	assert_int_equal(addr.length, sizeof(struct sockaddr_un));
	assert_int_equal(strlen(addr_format(&addr, text)), strlen("unix:") + 108);
	path[108] = 'x';
	path[109] = '\0';
	assert_int_equal(addr_set_unix(path, &addr), -1);
}

/* A name of nothing but bytes to escape is cut, never overrun. */
static void test_unix_cut(void **state)
{
	char path[108], text[ADDR_TEXT_SIZE];
	struct addr addr;

	(void)state;
	memset(path, '\x01', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	assert_int_equal(addr_set_unix(path, &addr), 0);
	addr_format(&addr, text);
	assert_true(strlen(text) < ADDR_TEXT_SIZE);
	assert_memory_equal(text, "unix:/\\x01\\x01", 14);
}

static void test_equal(void **state)
{
	static const char *const texts[] = {"127.0.0.1", "127.0.0.2", "::1", "::", "0.0.0.0",
		"::ffff:127.0.0.1", "fe80::1", "fe80::1%1", "fe80::1%2"};
	static const char *const paths[] = {"/x", "/xy", "@x", "@xy", "@y"};
	struct addr addrs[2 * COUNT(texts) + COUNT(paths)];
	size_t i, j, count = 0;

	(void)state;
	for (i = 0; i < COUNT(texts); i++) {
		assert_int_equal(addr_parse_ip(texts[i], 7, &addrs[count++]), 0);
		assert_int_equal(addr_parse_ip(texts[i], 8, &addrs[count++]), 0);
	}
	for (i = 0; i < COUNT(paths); i++)
		assert_int_equal(addr_set_unix(paths[i], &addrs[count++]), 0);
	for (i = 0; i < count; i++) {
		for (j = 0; j < count; j++)
			assert_int_equal(addr_equal(&addrs[i], &addrs[j]), i == j);
	}
}

static void test_peer(void **state)
{
	static const struct {
		const char *text;
		sa_family_t family;
		const char *host, *whole;
	} cases[] = {
		{"127.0.0.1", AF_INET, "127.0.0.1", "127.0.0.1:40000"},
		{"::1", AF_INET6, "::1", "[::1]:40000"},
		{"::ffff:192.0.2.7", AF_INET, "192.0.2.7", "192.0.2.7:40000"},
		{"fe80::1%2", AF_INET6, "fe80::1%2", "[fe80::1%2]:40000"},
		{"2001:db8::1", AF_INET6, "2001:db8::1", "[2001:db8::1]:40000"},
	};
	char text[ADDR_TEXT_SIZE];
	struct addr addr;
	struct peer peer;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		assert_int_equal(addr_parse_ip(cases[i].text, 40000, &addr), 0);
		peer_set(&peer, &addr.u.any, addr.length);
		assert_int_equal(peer.family, cases[i].family);
		assert_int_equal(peer.port, 40000);
		assert_string_equal(peer_format_host(&peer, text), cases[i].host);
		assert_string_equal(peer_format(&peer, text), cases[i].whole);
	}
	/* Cut short or of no family: no peer. */
	addr_set_wildcard(AF_INET, 7, &addr);
	peer_set(&peer, &addr.u.any, 3);
	assert_int_equal(peer.family, AF_UNSPEC);
	peer_set(&peer, &addr.u.any, 0);
	assert_int_equal(peer.family, AF_UNSPEC);
	assert_string_equal(peer_format(&peer, text), "");
	assert_string_equal(peer_format_host(&peer, text), "");
}

static void test_peer_unix(void **state)
{
	char text[ADDR_TEXT_SIZE], expected[ADDR_TEXT_SIZE];
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct peer peer;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	/* accept(2) gives an unnamed peer the family and nothing else. */
	peer_set(&peer, (const struct sockaddr *)&un, sizeof(sa_family_t));
	assert_int_equal(peer.family, AF_UNIX);
	assert_int_equal(peer_set_credentials(&peer, pair[0]), 0);
	snprintf(expected, sizeof(expected), "unix:pid=%d,uid=%u", (int)getpid(),
		(unsigned)geteuid());
	assert_string_equal(peer_format(&peer, text), expected);
	assert_string_equal(peer_format_host(&peer, text), "");
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(peer_set_credentials(&peer, -1), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_ip),
		cmocka_unit_test(test_wildcard),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_unix_cut),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_peer_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
