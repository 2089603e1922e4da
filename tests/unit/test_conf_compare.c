/*
 * test_conf_compare: every option of a service makes a difference, where it is written makes none;
 * which sockets are the same, and which are in each other's way.
 */
#include "config.h"
#include "superd/conf_compare.h"
#include "tests/unit/conf_text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The service of a configuration that says text in its block. */
static const struct conf *load(const char *text)
{
	struct conf_text_folder folder;
	const struct conf *conf;
	char whole[1024];

	conf_text_begin(&folder);
	snprintf(whole, sizeof(whole), "%s", text);
	conf_text_write(&folder, "a.conf", whole);
	conf_text_write(&folder, "list", "10.0.0.0/8\n");
	conf = conf_text_load(&folder, "a.conf");
	conf_text_end(&folder);
	return conf;
}

static const struct conf *load_service(const char *listen, const char *options)
{
	char text[768];

	snprintf(text, sizeof(text), "service s { listen = %s  exec = { /bin/cat, -u } %s }\n",
		listen, options);
	return load(text);
}

#define ONLY_ROOTS "root = /" /* superd must have been started as root for it */

/* One option each, and of lists more than one value. */
static const char *const options[] = {
	"",
	"argv0 = kitty",
	"wait = yes",
	"directory = /tmp",
	ONLY_ROOTS,
	"umask = 027",
	"no-new-privileges = no",
	"nice = 3",
	"stderr = null",
	"stderr = client",
	"pass-env = {}",
	"env { A = \"b\" }",
	"env { A = \"c\" }",
	"env { A = \"b\" B = \"\" }",
	"backlog = 7",
	"free-bind = yes",
	"reuse-port = yes",
	"transparent = yes",
	"nodelay = no",
	"keepalive = 1m",
	"receive-buffer = 8192",
	"send-buffer = 8192",
	"tos = 16",
	"mark = 0",
	"mark = 5",
	"bind-device = lo",
	"banner = \"a\"",
	"deny-banner = \"a\"",
	"acl { allow = 10.0.0.0/8 }",
	"acl { allow = 10.0.0.0/9 }",
	"acl { deny = 10.0.0.0/8 }",
	"acl { deny = { 10.0.0.0/8, 192.0.2.1 } }",
	"acl { hours = \"Mon-Fri\" }",
	"acl { hours = \"Mon-Sat\" }",
	"limits { instances = 65 }",
	"limits { per-source = 16 }",
	"limits { per-source = 3 }",
	"limits { rate = 1/s }",
	"limits { rate = 1/m }",
	"limits { per-source-rate = 1/s }",
	"limits { rate = 1/s burst = 9 }",
	"limits { source-prefix4 = 24 }",
	"limits { source-prefix6 = 56 }",
	"limits { on-full = refuse }",
	"limits { load = 2.5 }",
	"limits { time = 1h }",
	"limits { idle = 1h }",
	"limits { cpu = 1s }",
	"limits { memory = 64M }",
	"limits { memory = 65M }",
	"limits { core-size = 1M }",
	"log { to = syslog }",
	"log { to = syslog facility = mail }",
	"log { to = file file = /tmp/x }",
	"log { to = file file = /tmp/y }",
	"log { level = error }",
	"log { format = json }",
	"log { events = error }",
};

static void test_every_option_counts(void **state)
{
	static const struct conf *loaded[COUNT(options)];

	(void)state;
	for (size_t i = 0; i < COUNT(options); i++) {
		if (geteuid() == 0 || strcmp(options[i], ONLY_ROOTS) != 0)
			loaded[i] = load_service("127.0.0.1:7000", options[i]);
	}
	for (size_t i = 0; i < COUNT(options); i++) {
		for (size_t j = 0; j < COUNT(options); j++) {
			if (loaded[i] == NULL || loaded[j] == NULL)
				continue;
			if (conf_service_equal(&loaded[i]->services[0], &loaded[j]->services[0]) !=
				(i == j))
				fail_msg("'%s' and '%s'", options[i], options[j]);
		}
	}
	for (size_t i = 0; i < COUNT(options); i++)
		conf_free(loaded[i]);
}

static void test_same_in_other_words(void **state)
{
	static const char *const pairs[][2] = {
		{"service s { listen = 7000 exec = /bin/cat }",
			"# moved\n\nservice s {\n exec = \"/bin/cat\" ; listen = { tcp:7000 } }"},
		{"service s { listen = 7000 exec = /bin/cat nice = 2\n"
		 "acl { allow = { 10.0.0.0/8, ::1 } } }",
			"defaults { nice = 2 } template t { acl { allow = { ::1, 10.0.0.0/8 } } }\n"
			"service s { use = t listen = 7000 exec = /bin/cat }"},
		{"service s { listen = 7000 exec = /bin/cat limits { time = 60s } }",
			"service s { listen = 7000 exec = /bin/cat limits { time = 1m } }"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		const struct conf *one = load(pairs[i][0]);
		const struct conf *other = load(pairs[i][1]);

		if (!conf_service_equal(&one->services[0], &other->services[0]))
			fail_msg("%s", pairs[i][1]);
		conf_free(one);
		conf_free(other);
	}
}

struct pair {
	const char *one, *other;
	bool same;
	bool overlap;
};

static void test_sockets(void **state)
{
	static const struct pair pairs[] = {
		{"127.0.0.1:7000", "127.0.0.1:7000", true, false},
		{"127.0.0.1:7000", "127.0.0.1:7001", false, false},
		{"127.0.0.1:7000", "127.0.0.2:7000", false, false},
		{"127.0.0.1:7000", "udp:127.0.0.1:7000", false, false},
		{"127.0.0.1:7000", "0.0.0.0:7000", false, true},
		{"0.0.0.0:7000", "127.0.0.1:7000", false, true},
		{"udp:0.0.0.0:7000", "udp:127.0.0.1:7000", false, true},
		{"0.0.0.0:7000", "udp:127.0.0.1:7000", false, false},
		{"0.0.0.0:7000", "127.0.0.1:7001", false, false},
		{"\"[::]:7000\"", "\"[::1]:7000\"", false, true},
		{"\"[::]:7000\"", "127.0.0.1:7000", false, false},
		{"unix:/tmp/x", "unix:/tmp/x", true, false},
		{"unix:/tmp/x", "unix:/tmp/xy", false, false},
		{"unix:/tmp/x", "unix-seqpacket:/tmp/x", false, true},
		{"unix:@x", "unix:@x", true, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		const struct conf *a = load_service(pairs[i].one, "");
		const struct conf *b = load_service(pairs[i].other, "");
		const struct conf_socket *one = &a->services[0].sockets[0];
		const struct conf_socket *other = &b->services[0].sockets[0];
		int order = conf_socket_order(one, NULL, other, NULL);

		if ((order == 0) != pairs[i].same ||
			conf_socket_overlaps(one, NULL, other, NULL) != pairs[i].overlap)
			fail_msg("%s, %s", pairs[i].one, pairs[i].other);
		assert_int_equal(order > 0, conf_socket_order(other, NULL, one, NULL) < 0);
		assert_int_equal(conf_service_equal_sockets(&a->services[0], &b->services[0]),
			pairs[i].same);
		/* on devices */
		assert_int_not_equal(conf_socket_order(one, "lo", one, NULL), 0);
		assert_int_equal(conf_socket_order(one, "lo", one, "lo"), 0);
		assert_false(conf_socket_overlaps(one, "lo", other, "eth0") &&
			     addr_family(&one->addr) != AF_UNIX);
		conf_free(a);
		conf_free(b);
	}
}

static void test_device_overlaps_all(void **state)
{
	const struct conf *conf = load_service("127.0.0.1:7000", "");
	const struct conf_socket *socket = &conf->services[0].sockets[0];

	(void)state;
	assert_true(conf_socket_overlaps(socket, "lo", socket, NULL));
	assert_true(conf_socket_overlaps(socket, NULL, socket, "lo"));
	assert_false(conf_socket_overlaps(socket, "lo", socket, "lo"));
	conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option_counts),
		cmocka_unit_test(test_same_in_other_words),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_device_overlaps_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
