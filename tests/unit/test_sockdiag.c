/*
 * test_sockdiag: what the kernel tells of connections on loopback, against this process's clock.
 */
#include "config.h"
#include "superd/sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "superd/clock.h"
#include "superd/descriptor.h"
#include "tests/unit/unit.h"

#define MANY 1000
#define DEADLINE_NS (20 * CLOCK_NS_PER_S)
/* How far the kernel's tick may be off this process's clock, both ends together. */
#define SLACK_MS 30

struct connection {
	int listener;
	int client;
	int server; /* the accepted end, which is asked about */
	struct sockdiag_query query;
};

static int listen_on_loopback(int family)
{
	struct addr addr;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	addr_parse_ip(family == AF_INET ? "127.0.0.1" : "::1", 0, &addr);
	if (bind(fd, &addr.u.any, addr.length) != 0) {
		assert_int_equal(errno, EADDRNOTAVAIL);
		assert_int_equal(family, AF_INET6);
		close(fd);
		return -1;
	}
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static void name_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *), struct peer *peer)
{
	struct addr addr = {.length = sizeof(addr.u)};

	assert_int_equal(get(fd, &addr.u.any, &addr.length), 0);
	peer_set(peer, &addr.u.any, addr.length);
}

static int local_name(int fd, struct sockaddr *address, socklen_t *length)
{
	return getsockname(fd, address, length);
}

static int peer_name(int fd, struct sockaddr *address, socklen_t *length)
{
	return getpeername(fd, address, length);
}

static void connection_open(struct connection *it, int listener)
{
	struct addr addr = {.length = sizeof(addr.u)};

	memset(it, 0, sizeof(*it));
	it->listener = listener;
	assert_int_equal(getsockname(listener, &addr.u.any, &addr.length), 0);
	it->client = socket(addr_family(&addr), SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(it->client >= 0);
	assert_int_equal(connect(it->client, &addr.u.any, addr.length), 0);
	it->server = accept(listener, NULL, NULL);
	assert_true(it->server >= 0);
	name_of(it->server, local_name, &it->query.local);
	name_of(it->server, peer_name, &it->query.peer);
	assert_int_equal(sockdiag_cookie(it->server, &it->query.cookie), 0);
}

static void end_close(int *fd)
{
	if (*fd >= 0)
		assert_int_equal(close(*fd), 0);
	*fd = -1;
}

static void connection_close(struct connection *it)
{
	end_close(&it->server);
	end_close(&it->client);
}

static struct sockdiag *diag_new(void)
{
	struct error error = {0};
	struct sockdiag *diag = NULL;

	if (sockdiag_new(&diag, &error) != 0)
		fail_msg("%s", error.text);
	return diag;
}

static void ask(struct sockdiag *diag, struct sockdiag_query *queries, size_t count)
{
	struct error error = {0};

	if (sockdiag_ask(diag, queries, count, &error) != 0)
		fail_msg("%s", error.text);
}

static void ask_for(
	struct sockdiag *diag, struct sockdiag_query *query, enum sockdiag_result result)
{
	ask(diag, query, 1);
	assert_string_equal(sockdiag_result_name(query->result), sockdiag_result_name(result));
}

/* Lets silence grow to at least this; what else happens meanwhile is nothing. */
static void wait_for_silence(struct sockdiag *diag, struct sockdiag_query *query, uint32_t least_ms)
{
	int64_t end = clock_now_ns() + DEADLINE_NS;

	for (;;) {
		ask_for(diag, query, SOCKDIAG_FOUND);
		if (query->silent_ms >= least_ms)
			return;
		assert_true(clock_now_ns() < end);
		poll(NULL, 0, 5);
	}
}

/* The silence found now began between from_ns and to_ns. */
static void check_silent_since(
	struct sockdiag *diag, struct sockdiag_query *query, int64_t from_ns, int64_t to_ns)
{
	int64_t before = clock_now_ns();
	int64_t after;

	ask_for(diag, query, SOCKDIAG_FOUND);
	after = clock_now_ns();
	assert_true(query->silent_ms + SLACK_MS >= (before - to_ns) / CLOCK_NS_PER_MS);
	assert_true(query->silent_ms <= (after - from_ns) / CLOCK_NS_PER_MS + SLACK_MS);
}

static void pass_byte(int from, int to)
{
	char byte = 'x';

	assert_int_equal(send(from, &byte, 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(to, &byte, 1, 0), 1);
}

/* From its beginning, then after a byte in, then after a byte out. */
static void check_silence(int family)
{
	struct sockdiag *diag = diag_new();
	int listener = listen_on_loopback(family);
	struct connection it;
	int64_t from;
	int64_t to;

	if (listener < 0) {
		sockdiag_free(diag);
		skip();
	}
	from = clock_now_ns();
	connection_open(&it, listener);
	to = clock_now_ns();
	check_silent_since(diag, &it.query, from, to);
	wait_for_silence(diag, &it.query, 3 * SLACK_MS);
	check_silent_since(diag, &it.query, from, to);
	for (int outwards = 0; outwards <= 1; outwards++) {
		from = clock_now_ns();
		if (outwards)
			pass_byte(it.server, it.client);
		else
			pass_byte(it.client, it.server);
		to = clock_now_ns();
		check_silent_since(diag, &it.query, from, to);
		wait_for_silence(diag, &it.query, 3 * SLACK_MS);
		check_silent_since(diag, &it.query, from, to);
	}
	connection_close(&it);
	close(listener);
	sockdiag_free(diag);
}

static void test_silence_ipv4(void **state)
{
	(void)state;
	check_silence(AF_INET);
}

static void test_silence_ipv6(void **state)
{
	(void)state;
	check_silence(AF_INET6);
}

/* Whatever the kernel says, nobody was silent before being accepted. */
static void test_no_longer_than_accepted(void **state)
{
	struct sockdiag *diag = diag_new();
	int listener = listen_on_loopback(AF_INET);
	struct connection it;

	(void)state;
	connection_open(&it, listener);
	wait_for_silence(diag, &it.query, 3 * SLACK_MS);
	it.query.accepted_ns = clock_now_ns() + CLOCK_NS_PER_S;
	ask_for(diag, &it.query, SOCKDIAG_FOUND);
	assert_int_equal(it.query.silent_ms, 0);
	it.query.accepted_ns = clock_now_ns();
	ask_for(diag, &it.query, SOCKDIAG_FOUND);
	assert_true(
		it.query.silent_ms <= (clock_now_ns() - it.query.accepted_ns) / CLOCK_NS_PER_MS);
	connection_close(&it);
	close(listener);
	sockdiag_free(diag);
}

enum {
	CLIENT = 1,
	SERVER = 2,
	LISTENER = 4,
};

static void test_ends(void **state)
{
	static const struct {
		int close[3]; /* in this order */
		enum sockdiag_result result;
	} cases[] = {
		{{0}, SOCKDIAG_FOUND},
		{{LISTENER}, SOCKDIAG_FOUND},
		{{CLIENT}, SOCKDIAG_FOUND},        /* CLOSE_WAIT: the program may still talk */
		{{SERVER}, SOCKDIAG_GONE},         /* FIN_WAIT, nobody's */
		{{SERVER, CLIENT}, SOCKDIAG_GONE}, /* TIME_WAIT */
		{{CLIENT, SERVER}, SOCKDIAG_GONE}, /* only the listener has the address */
		{{CLIENT, SERVER, LISTENER}, SOCKDIAG_GONE},
	};
	struct sockdiag *diag = diag_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct connection it;

		connection_open(&it, listen_on_loopback(AF_INET));
		for (size_t j = 0; j < 3; j++) {
			if (cases[i].close[j] == CLIENT) {
				end_close(&it.client);
				/* the end has come when it is read */
				if (it.server >= 0)
					assert_int_equal(recv(it.server, &(char){0}, 1, 0), 0);
			} else if (cases[i].close[j] == SERVER) {
				end_close(&it.server);
			} else if (cases[i].close[j] == LISTENER) {
				end_close(&it.listener);
			}
		}
		ask_for(diag, &it.query, cases[i].result);
		connection_close(&it);
		end_close(&it.listener);
	}
	sockdiag_free(diag);
}

static void test_wrong_cookie(void **state)
{
	struct sockdiag *diag = diag_new();
	int listener = listen_on_loopback(AF_INET);
	struct sockdiag_query queries[4];
	struct connection it;

	(void)state;
	connection_open(&it, listener);
	for (size_t i = 0; i < 4; i++)
		queries[i] = it.query;
	assert_int_equal(sockdiag_cookie(it.client, &queries[0].cookie), 0);
	assert_true(queries[0].cookie != it.query.cookie);
	queries[1].cookie += UINT64_C(1) << 32;
	queries[2].peer.u.ip[3]++; /* leads to the listener */
	ask(diag, queries, 4);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(queries[i].result, SOCKDIAG_GONE);
	assert_int_equal(queries[3].result, SOCKDIAG_FOUND);
	connection_close(&it);
	close(listener);
	sockdiag_free(diag);
}

/* A socket bound to an interface is found by that alone; to others it makes no difference. */
static void test_bound(void **state)
{
	struct sockdiag *diag = diag_new();
	uint32_t loopback = if_nametoindex("lo");

	(void)state;
	for (int bound = 0; bound <= 1; bound++) {
		int listener = listen_on_loopback(AF_INET);
		struct connection it;

		if (bound)
			assert_int_equal(
				setsockopt(listener, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
		connection_open(&it, listener);
		ask_for(diag, &it.query, bound ? SOCKDIAG_GONE : SOCKDIAG_FOUND);
		it.query.bound = loopback;
		ask_for(diag, &it.query, SOCKDIAG_FOUND);
		connection_close(&it);
		close(listener);
	}
	sockdiag_free(diag);
}

static void test_not_tcp(void **state)
{
	struct sockdiag *diag = diag_new();
	int listener = listen_on_loopback(AF_INET);
	struct sockdiag_query queries[4];
	struct connection it;
	uint64_t cookie;

	(void)state;
	connection_open(&it, listener);
	for (size_t i = 0; i < 4; i++)
		queries[i] = it.query;
	queries[0].peer.family = AF_UNIX;
	queries[1].local.family = AF_UNSPEC;
	queries[3].local.family = AF_INET6;
	ask(diag, queries, 4);
	assert_int_equal(queries[0].result, SOCKDIAG_FAILED);
	assert_int_equal(queries[1].result, SOCKDIAG_FAILED);
	assert_int_equal(queries[2].result, SOCKDIAG_FOUND);
	assert_int_equal(queries[3].result, SOCKDIAG_FAILED);
	ask(diag, queries, 2);
	ask(diag, queries, 0);
	connection_close(&it);
	assert_int_equal(sockdiag_cookie(it.client, &cookie), -1);
	assert_int_equal(errno, EBADF);
	close(listener);
	sockdiag_free(diag);
}

/* The descriptor that sockdiag_new() will get. */
static int next_long_lived(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, DESCRIPTOR_LONG_LIVED);

	assert_true(fd >= DESCRIPTOR_LONG_LIVED);
	close(fd);
	return fd;
}

static void test_descriptor(void **state)
{
	int fd = next_long_lived();
	struct sockdiag *diag = diag_new();

	(void)state;
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	sockdiag_free(diag);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	sockdiag_free(NULL);
}

/* Answers that nobody awaits any more lie in the queue before the right ones. */
static void test_late_answers(void **state)
{
	struct nlmsghdr nonsense = {
		.nlmsg_len = sizeof(nonsense),
		.nlmsg_type = NLMSG_MIN_TYPE,
		.nlmsg_flags = NLM_F_REQUEST,
	};
	int fd = next_long_lived();
	struct sockdiag *diag = diag_new();
	int listener = listen_on_loopback(AF_INET);
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	struct sockdiag_query queries[100];
	struct connection it;

	(void)state;
	connection_open(&it, listener);
	for (uint32_t i = 0; i < 100; i++) {
		queries[i] = it.query;
		nonsense.nlmsg_seq = UINT32_MAX - i;
		assert_int_equal(send(fd, &nonsense, sizeof(nonsense), 0), sizeof(nonsense));
	}
	assert_int_equal(poll(&readable, 1, 0), 1);
	ask(diag, queries, 100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(queries[i].result, SOCKDIAG_FOUND);
	assert_int_equal(poll(&readable, 1, 0), 0);
	connection_close(&it);
	close(listener);
	sockdiag_free(diag);
}

/* With the smallest receive buffer there is, most answers of a batch are lost at first. */
static void test_lost_answers(void **state)
{
	int fd = next_long_lived();
	struct sockdiag *diag = diag_new();
	int listener = listen_on_loopback(AF_INET);
	struct sockdiag_query queries[100];
	struct connection it;

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){1}, sizeof(int)), 0);
	connection_open(&it, listener);
	for (size_t i = 0; i < 100; i++) {
		queries[i] = it.query;
		queries[i].cookie += i % 2;
	}
	ask(diag, queries, 100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(queries[i].result, i % 2 ? SOCKDIAG_GONE : SOCKDIAG_FOUND);
	connection_close(&it);
	close(listener);
	sockdiag_free(diag);
}

/* Every second connection gets a byte late, every third is closed. */
static void check_many(
	struct sockdiag *diag, struct connection *all, int listener, struct sockdiag_query *queries)
{
	int64_t marked;
	int64_t since_ms;

	for (size_t i = 0; i < MANY; i++)
		connection_open(&all[i], listener);
	wait_for_silence(diag, &all[MANY - 1].query, 3 * SLACK_MS);
	marked = clock_now_ns();
	for (size_t i = 0; i < MANY; i++) {
		queries[i] = all[i].query;
		if (i % 2 == 0)
			pass_byte(all[i].client, all[i].server);
		if (i % 3 == 0)
			connection_close(&all[i]);
	}
	ask(diag, queries, MANY);
	since_ms = (clock_now_ns() - marked) / CLOCK_NS_PER_MS;
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(queries[i].result, i % 3 == 0 ? SOCKDIAG_GONE : SOCKDIAG_FOUND);
		if (i % 3 != 0 && i % 2 == 0)
			assert_true(queries[i].silent_ms <= since_ms + SLACK_MS);
		else if (i % 3 != 0)
			assert_true(queries[i].silent_ms >= 3 * SLACK_MS);
	}
	for (size_t i = 0; i < MANY; i++)
		connection_close(&all[i]);
}

static void test_many(void **state)
{
	struct sockdiag *diag = diag_new();
	struct sockdiag_query *queries = calloc(MANY, sizeof(*queries));
	struct connection *all = calloc(MANY, sizeof(*all));
	int listener = listen_on_loopback(AF_INET);
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(limit.rlim_cur > 2 * MANY + 50);
	check_many(diag, all, listener, queries);
	free(queries);
	free(all);
	close(listener);
	sockdiag_free(diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence_ipv4),
		cmocka_unit_test(test_silence_ipv6),
		cmocka_unit_test(test_no_longer_than_accepted),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_wrong_cookie),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_not_tcp),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_late_answers),
		cmocka_unit_test(test_lost_answers),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
