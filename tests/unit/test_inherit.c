/*
 * test_inherit: which given socket goes to which endpoint, and what is told of the rest.
 */
#include "config.h"
#include "superd/inherit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* Texts of inherit_close_rest(), a line each. */
struct told {
	char text[1024];
};

static void take_text(void *owner, const char *text)
{
	struct told *told = owner;
	size_t used = strlen(told->text);

	snprintf(told->text + used, sizeof(told->text) - used, "%s\n", text);
}

static struct conf_socket endpoint(const char *address, uint16_t port, int type)
{
	struct conf_socket socket = {.type = type};

	if (strchr(address, '/') != NULL || address[0] == '@')
		assert_int_equal(addr_set_unix(address, &socket.addr), 0);
	else
		assert_int_equal(addr_parse_ip(address, port, &socket.addr), 0);
	return socket;
}

/* A socket bound to an endpoint; port 0 becomes the one that the kernel chose. */
static int bound(struct conf_socket *conf, bool listening, bool only6)
{
	int family = addr_family(&conf->addr);
	int fd = socket(family, conf->type, 0);
	int only = only6;

	assert_true(fd >= 0);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	assert_int_equal(bind(fd, &conf->addr.u.any, conf->addr.length), 0);
	if (listening)
		assert_int_equal(listen(fd, 5), 0);
	if (family != AF_UNIX)
		assert_int_equal(getsockname(fd, &conf->addr.u.any, &conf->addr.length), 0);
	return fd;
}

/* Taken by the very endpoint and by nothing else that differs in one thing. */
static void test_take(void **state)
{
	static const struct {
		const char *address;
		int type;
	} rows[] = {
		{"127.0.0.1", SOCK_STREAM},
		{"127.0.0.1", SOCK_DGRAM},
		{"::1", SOCK_STREAM},
		{"0.0.0.0", SOCK_DGRAM},
		{"@superd-test-inherit", SOCK_STREAM},
		{"@superd-test-inherit", SOCK_DGRAM},
		{"@superd-test-inherit", SOCK_SEQPACKET},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_socket conf = endpoint(rows[i].address, 0, rows[i].type);
		int fd = bound(&conf, rows[i].type != SOCK_DGRAM, true);
		struct conf_socket other = conf;
		struct inherit pool = {0};
		struct inherit_taken taken;

		assert_int_equal(inherit_add(&pool, fd, i % 2 == 0), 0);
		other.type = conf.type == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM;
		assert_int_equal(inherit_take(&pool, &other, NULL, &taken), INHERIT_NONE);
		other = endpoint("127.0.0.9", addr_port(&conf.addr), conf.type);
		assert_int_equal(inherit_take(&pool, &other, NULL, &taken), INHERIT_NONE);
		other = endpoint(rows[i].address, 1, rows[i].type);
		if (addr_family(&conf.addr) != AF_UNIX)
			assert_int_equal(inherit_take(&pool, &other, NULL, &taken), INHERIT_NONE);
		assert_int_equal(inherit_take(&pool, &conf, "lo", &taken), INHERIT_NONE);
		assert_int_equal(inherit_take(&pool, &conf, NULL, &taken), INHERIT_TAKEN);
		assert_true(taken.fd >= 256);
		assert_true(fcntl(taken.fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(taken.lent, i % 2 == 0);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
		close(taken.fd);
		assert_int_equal(inherit_take(&pool, &conf, NULL, &taken), INHERIT_NONE);
		inherit_close_rest(&pool, NULL, NULL);
	}
}

/* A socket for both families is that of an endpoint of both, and of no other. */
static void test_dual(void **state)
{
	struct conf_socket six = endpoint("::", 0, SOCK_STREAM);
	struct inherit pool = {0};
	struct inherit_taken taken;
	struct told told = {""};
	struct conf_socket four;
	char wanted[128];

	(void)state;
	for (int four_first = 0; four_first < 2; four_first++) {
		six = endpoint("::", 0, SOCK_STREAM);
		assert_int_equal(inherit_add(&pool, bound(&six, true, false), true), 0);
		four = endpoint("0.0.0.0", addr_port(&six.addr), SOCK_STREAM);
		assert_int_equal(inherit_take(&pool, &four, NULL, &taken), INHERIT_NONE);
		assert_int_equal(inherit_take(&pool, &six, NULL, &taken), INHERIT_NONE);
		four.family_half = six.family_half = true;
		if (four_first)
			assert_int_equal(inherit_take(&pool, &four, NULL, &taken), INHERIT_COVERED);
		assert_int_equal(inherit_take(&pool, &six, NULL, &taken), INHERIT_TAKEN);
		close(taken.fd);
		assert_int_equal(inherit_take(&pool, &four, NULL, &taken), INHERIT_COVERED);
		four.type = SOCK_DGRAM;
		assert_int_equal(inherit_take(&pool, &four, NULL, &taken), INHERIT_NONE);
		inherit_close_rest(&pool, NULL, NULL);
	}
	six = endpoint("::", 0, SOCK_STREAM);
	assert_int_equal(inherit_add(&pool, bound(&six, true, false), true), 0);
	inherit_close_rest(&pool, take_text, &told);
	snprintf(wanted, sizeof(wanted), "(tcp [::]:%u) fits no endpoint (it takes IPv4 too)",
		(unsigned)addr_port(&six.addr));
	assert_non_null(strstr(told.text, wanted));
}

/* A stream that does not listen yet is taken all the same: listen(2) is left to who takes it. */
static void test_idle(void **state)
{
	static const struct {
		const char *address;
		int type;
	} rows[] = {
		{"127.0.0.1", SOCK_STREAM},
		{"::1", SOCK_STREAM},
		{"@superd-test-idle", SOCK_STREAM},
		{"@superd-test-idle", SOCK_SEQPACKET},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf_socket conf = endpoint(rows[i].address, 0, rows[i].type);
		struct inherit pool = {0};
		struct inherit_taken taken;

		assert_int_equal(inherit_add(&pool, bound(&conf, false, true), true), 0);
		assert_true(inherit_has(&pool, &conf, NULL));
		assert_int_equal(inherit_take(&pool, &conf, NULL, &taken), INHERIT_TAKEN);
		close(taken.fd);
		inherit_close_rest(&pool, NULL, NULL);
	}
}

static void test_rest(void **state)
{
	struct conf_socket conf = endpoint("127.0.0.1", 0, SOCK_STREAM);
	struct inherit pool = {0};
	struct inherit_taken taken;
	struct told told = {""};
	char wanted[512];
	int fds[6];
	int ends[2];

	(void)state;
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fds[1] = ends[0];
	fds[2] = open("/dev/null", O_RDONLY);
	fds[3] = socket(AF_NETLINK, SOCK_RAW, 0);
	fds[4] = socket(AF_UNIX, SOCK_DGRAM, 0);
	fds[5] = socket(AF_UNIX, SOCK_STREAM, 0);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		assert_int_equal(inherit_add(&pool, fds[i], false), 0);
	assert_int_equal(inherit_take(&pool, &conf, NULL, &taken), INHERIT_NONE);
	inherit_close_rest(&pool, take_text, &told);
	snprintf(wanted, sizeof(wanted),
		"descriptor %d is bound to nothing: closed\n"
		"descriptor %d is connected, and no endpoint (a systemd unit needs Accept=no): "
		"closed\n"
		"descriptor %d is no socket: closed\n"
		"descriptor %d is of a family that no endpoint can be: closed\n"
		"descriptor %d is bound to nothing: closed\n"
		"descriptor %d is bound to nothing: closed\n",
		fds[0], fds[1], fds[2], fds[3], fds[4], fds[5]);
	assert_string_equal(told.text, wanted);
	assert_int_equal(pool.count, 0);
	close(ends[1]);
}

/* Many, in order and in reverse: each gets its own. */
static void test_many(void **state)
{
	enum { MANY = 300 };
	struct conf_socket sockets[MANY];
	struct inherit pool = {0};
	struct inherit_taken taken;
	char name[64];

	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < MANY; i++) {
			snprintf(name, sizeof(name), "@superd-test-many-%d", i);
			sockets[i] = endpoint(name, 0, SOCK_DGRAM);
			assert_int_equal(
				inherit_add(&pool, bound(&sockets[i], false, true), true), 0);
		}
		for (int i = 0; i < MANY; i++) {
			struct conf_socket *conf = &sockets[turn == 0 ? i : MANY - 1 - i];
			struct addr own = {.length = sizeof(own.u)};

			assert_int_equal(inherit_take(&pool, conf, NULL, &taken), INHERIT_TAKEN);
			assert_int_equal(getsockname(taken.fd, &own.u.any, &own.length), 0);
			assert_true(addr_equal(&own, &conf->addr));
			close(taken.fd);
		}
		inherit_close_rest(&pool, NULL, NULL);
	}
}

static void set_variables(const char *pid, const char *fds)
{
	char own[16];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	setenv("LISTEN_PID", pid != NULL ? pid : own, 1);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", "x:y", 1);
}

static void test_environment(void **state)
{
	static const struct {
		const char *pid; /* NULL: this process's */
		const char *fds;
		int result;
		const char *problem;
	} rows[] = {
		{"1", "1", 0, NULL},
		{"", "1", 0, NULL},
		{NULL, "0", 0, NULL},
		{NULL, "", -1, "LISTEN_FDS is not a number of descriptors"},
		{NULL, "x", -1, "LISTEN_FDS is not a number of descriptors"},
		{NULL, "-1", -1, "LISTEN_FDS is not a number of descriptors"},
		{NULL, "1x", -1, "LISTEN_FDS is not a number of descriptors"},
		{NULL, "99999999999999999999", -1, "LISTEN_FDS is not a number of descriptors"},
		{NULL, "2147483644", -1, "LISTEN_FDS counts descriptors that are not open"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *problem = NULL;
		struct inherit pool = {0};

		set_variables(rows[i].pid, rows[i].fds);
		assert_int_equal(inherit_listen_fds(&pool, &problem), rows[i].result);
		if (rows[i].problem != NULL)
			assert_string_equal(problem, rows[i].problem);
		else
			assert_null(problem);
		assert_int_equal(getenv("LISTEN_FDS") != NULL, rows[i].pid != NULL);
		assert_int_equal(getenv("LISTEN_FDNAMES") != NULL, rows[i].pid != NULL);
		inherit_close_rest(&pool, NULL, NULL);
	}
}

/* Two at 3 and 4, as a service manager leaves them. */
static void test_descriptors(void **state)
{
	struct conf_socket conf = endpoint("127.0.0.1", 0, SOCK_STREAM);
	struct conf_socket other = endpoint("127.0.0.1", 0, SOCK_DGRAM);
	int high = fcntl(bound(&conf, true, true), F_DUPFD, 100);
	int high_other = fcntl(bound(&other, false, true), F_DUPFD, 100);
	struct inherit pool = {0};
	struct inherit_taken taken;
	const char *problem;

	(void)state;
	assert_int_equal(dup2(high, INHERIT_FIRST_FD), INHERIT_FIRST_FD);
	assert_int_equal(dup2(high_other, INHERIT_FIRST_FD + 1), INHERIT_FIRST_FD + 1);
	set_variables(NULL, "2");
	assert_int_equal(inherit_listen_fds(&pool, &problem), 0);
	assert_int_equal(inherit_take(&pool, &other, NULL, &taken), INHERIT_TAKEN);
	assert_true(taken.lent);
	close(taken.fd);
	assert_int_equal(inherit_take(&pool, &conf, NULL, &taken), INHERIT_TAKEN);
	close(taken.fd);
	assert_int_equal(fcntl(INHERIT_FIRST_FD, F_GETFD), -1);
	assert_int_equal(fcntl(INHERIT_FIRST_FD + 1, F_GETFD), -1);
	inherit_close_rest(&pool, NULL, NULL);
	close(high);
	close(high_other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_dual),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_descriptors),
	};
	struct rlimit files;

	/* room above 256 */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
	setrlimit(RLIMIT_NOFILE, &files);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
