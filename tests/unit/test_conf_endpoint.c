/*
 * conf_endpoint: the sockets that a value of `listen` stands for.  Values that are none have
 * their place in tests/conf/bad.
 */
#include "config.h"
#include "superd/conf_endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* All sockets of text, ", " between them, '*' behind halves of a family. */
static void expand(const char *text, char result[1024])
{
	char one[CONF_SOCKET_TEXT_SIZE];
	struct conf_endpoint_socket socket;
	struct conf_endpoint endpoint;
	struct error error;
	size_t i, used = 0;

	result[0] = '\0';
	if (conf_endpoint_parse(text, &endpoint, &error) != 0) {
		snprintf(result, 1024, "error: %s", error.text);
		return;
	}
	for (i = 0; i < conf_endpoint_socket_count(&endpoint); i++) {
		conf_endpoint_get(&endpoint, i, &socket);
		used += (size_t)snprintf(result + used, 1024 - used, "%s%s%s", i == 0 ? "" : ", ",
			conf_socket_format(endpoint.type, &socket.addr, one),
			socket.family_half ? "*" : "");
	}
}

static void test_expand(void **state)
{
	static const struct {
		const char *text, *sockets;
	} cases[] = {
		{"7", "tcp 0.0.0.0:7*, tcp [::]:7*"},
		{"007", "tcp 0.0.0.0:7*, tcp [::]:7*"},
		{"tcp:7", "tcp 0.0.0.0:7*, tcp [::]:7*"},
		{"udp:7", "udp 0.0.0.0:7*, udp [::]:7*"},
		{"*:7", "tcp 0.0.0.0:7*, tcp [::]:7*"},
		{"7-8", "tcp 0.0.0.0:7*, tcp [::]:7*, tcp 0.0.0.0:8*, tcp [::]:8*"},
		{"65535", "tcp 0.0.0.0:65535*, tcp [::]:65535*"},
		{"localhost:25", "tcp 127.0.0.1:25*, tcp [::1]:25*"},
		{"udp:localhost:1-2",
			"udp 127.0.0.1:1*, udp [::1]:1*, udp 127.0.0.1:2*, udp [::1]:2*"},
		{"127.0.0.1:80", "tcp 127.0.0.1:80"},
		{"127.0.0.1:80-82", "tcp 127.0.0.1:80, tcp 127.0.0.1:81, tcp 127.0.0.1:82"},
		{"0.0.0.0:80", "tcp 0.0.0.0:80"},
		{"[::]:80", "tcp [::]:80"},
		{"udp:[2001:db8::1]:80-81", "udp [2001:db8::1]:80, udp [2001:db8::1]:81"},
		{"[fe80::1%lo]:80", "tcp [fe80::1%1]:80"},
		{"unix:/run/x", "unix /run/x"},
		{"unix:@x", "unix @x"},
		{"unix-dgram:@x", "unix-dgram @x"},
		{"unix-seqpacket:/run/y", "unix-seqpacket /run/y"},
		{"unix:/a b", "unix /a\\x20b"},
		{"0", "error: port 0 is not in 1..65535"},
		{"", "error: the port is missing"},
		{"1-", "error: '1-' is neither a port nor a range FIRST-LAST"},
		{"2-1", "error: the range 2-1 is empty"},
		{"0000000000000000001-2",
			"error: '0000000000000000001-2' is neither a port nor a range FIRST-LAST"},
		{"[]:80", "error: '' is not an address (names are not looked up)"},
	};
	char result[1024];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(cases); i++) {
		expand(cases[i].text, result);
		assert_string_equal(result, cases[i].sockets);
	}
}

static void test_whole_range(void **state)
{
	struct conf_endpoint_socket socket;
	struct conf_endpoint endpoint;
	struct error error;

	(void)state;
	assert_int_equal(conf_endpoint_parse("1-65535", &endpoint, &error), 0);
	assert_int_equal(conf_endpoint_socket_count(&endpoint), 2 * 65535);
	conf_endpoint_get(&endpoint, 2 * 65535 - 1, &socket);
	assert_int_equal(addr_port(&socket.addr), 65535);
	assert_int_equal(addr_family(&socket.addr), AF_INET6);
}

static void test_from_name(void **state)
{
	struct conf_endpoint endpoint;

	(void)state;
	assert_int_equal(conf_endpoint_from_name("superd-no-such-service", &endpoint), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand),
		cmocka_unit_test(test_whole_range),
		cmocka_unit_test(test_from_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
