/*
 * test_listener_change: real sockets whose options change, that move from one listener to another,
 * and that stand beside others for a while.
 */
#include "config.h"
#include "superd/listener_change.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static const struct conf_service plain = {.name = "s",
	.backlog = 10,
	.nodelay = true,
	.keepalive_s = 7200,
	.tos = -1,
	.mark = -1,
	.socket_mode = 0660,
	.socket_user = (uid_t)-1,
	.socket_group = (gid_t)-1};

static int set_up(void **state)
{
	struct loop *loop;
	struct error error;

	assert_int_equal(loop_new(LOOP_AUTO, &loop, &error), 0);
	*state = loop;
	return 0;
}

static int tear_down(void **state)
{
	loop_free(*state);
	return 0;
}

static struct conf_socket internet(const char *host, uint16_t port, int type)
{
	struct conf_socket socket = {.type = type, .wait = type == SOCK_DGRAM, .text = host};

	assert_int_equal(addr_parse_ip(host, port, &socket.addr), 0);
	return socket;
}

static struct listener opened(
	struct loop *loop, const struct conf_service *service, const struct conf_socket *conf)
{
	static const struct listener_events events = {0};
	struct listener listener;
	struct error error;

	listener_init(&listener, service, conf, &events, loop, NULL);
	if (listener_open(&listener, &error) != 0)
		fail_msg("%s", error.text);
	return listener;
}

static uint16_t port_of(const struct listener *listener)
{
	struct addr addr = {.length = sizeof(addr.u)};

	assert_int_equal(getsockname(listener->fd, &addr.u.any, &addr.length), 0);
	return addr_port(&addr);
}

/* A port of no address at all: one of a single address may be a client's at another. */
static uint16_t free_port(struct loop *loop, int type)
{
	struct conf_socket conf = internet("0.0.0.0", 0, type);
	struct listener listener = opened(loop, &plain, &conf);
	uint16_t port = port_of(&listener);

	listener_close(&listener);
	return port;
}

static int option(int fd, int level, int name)
{
	socklen_t length = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
	return value;
}

/* Everything is set, and when it is not wanted any more, as if it never had been. */
static void test_options(void **state)
{
	static const int names[][2] = {{SOL_SOCKET, SO_RCVBUF}, {SOL_SOCKET, SO_SNDBUF},
		{IPPROTO_TCP, TCP_NODELAY}, {SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, TCP_KEEPIDLE},
		{IPPROTO_IP, IP_TOS}, {IPPROTO_IP, IP_FREEBIND}, {SOL_SOCKET, SO_REUSEPORT},
		{SOL_SOCKET, SO_REUSEADDR}};
	struct conf_service other = plain;
	struct conf_socket conf = internet("127.0.0.1", 0, SOCK_STREAM);
	struct listener listener = opened(*state, &plain, &conf);
	int before[sizeof(names) / sizeof(names[0])];
	struct error error;
	uint16_t port = port_of(&listener);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		before[i] = option(listener.fd, names[i][0], names[i][1]);
	other.receive_buffer = 16384;
	other.send_buffer = 32768;
	other.nodelay = false;
	other.keepalive_s = 0;
	other.tos = 16;
	other.free_bind = true;
	other.reuse_port = true;
	other.backlog = 3;
	assert_int_equal(listener_adapt(&listener, &other, &error), 0);
	assert_int_equal(option(listener.fd, SOL_SOCKET, SO_RCVBUF), 2 * 16384);
	assert_int_equal(option(listener.fd, SOL_SOCKET, SO_SNDBUF), 2 * 32768);
	assert_int_equal(option(listener.fd, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(option(listener.fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(option(listener.fd, IPPROTO_IP, IP_TOS), 16);
	assert_int_equal(option(listener.fd, IPPROTO_IP, IP_FREEBIND), 1);
	assert_int_equal(option(listener.fd, SOL_SOCKET, SO_REUSEPORT), 1);
	other = plain;
	other.keepalive_s = 60;
	assert_int_equal(listener_adapt(&listener, &other, &error), 0);
	assert_int_equal(option(listener.fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
	assert_int_equal(listener_adapt(&listener, &plain, &error), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(option(listener.fd, names[i][0], names[i][1]), before[i]);
	assert_int_equal(option(listener.fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(port_of(&listener), port);
	listener_close(&listener);
	assert_int_equal(
		listener_adapt(&listener, &other, &error), 0); /* there is nothing to set */
}

/* The length of the queue, as connects that are not accepted tell it. */
static void test_backlog(void **state)
{
	struct conf_service other = plain;
	struct conf_socket conf = internet("127.0.0.1", 0, SOCK_STREAM);
	struct listener listener = opened(*state, &plain, &conf);
	socklen_t length = sizeof(struct tcp_info);
	struct tcp_info info;
	struct error error;

	other.backlog = 77;
	assert_int_equal(getsockopt(listener.fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_sacked, 10); /* of a listener: its backlog */
	assert_int_equal(listener_adapt(&listener, &other, &error), 0);
	assert_int_equal(getsockopt(listener.fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_sacked, 77);
	/* what was shut down must not be given another port */
	shutdown(listener.fd, SHUT_RDWR);
	assert_int_equal(listener_adapt(&listener, &plain, &error), 0);
	assert_int_equal(option(listener.fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
	listener_close(&listener);
}

static void test_move(void **state)
{
	struct conf_socket conf = internet("127.0.0.1", 0, SOCK_STREAM);
	struct listener from = opened(*state, &plain, &conf);
	static const struct listener_events events = {0};
	struct listener to;
	struct error error;
	int fd = from.fd;

	listener_init(&to, &plain, &conf, &events, *state, NULL);
	assert_int_equal(listener_watch(&from, true, &error), 0);
	listener_move(&from, &to);
	assert_int_equal(from.state, LISTENER_CLOSED);
	assert_int_equal(from.fd, -1);
	assert_int_equal(to.state, LISTENER_OPEN);
	assert_int_equal(to.fd, fd);
	assert_false(to.watched);
	assert_int_equal(listener_watch(&to, true, &error), 0);
	listener_close(&from); /* nothing happens to the socket */
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	listener_close(&to);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* One that is tried again is tried again at its new place. */
static void test_move_retrying(void **state)
{
	struct conf_socket conf = internet("127.0.0.1", 0, SOCK_STREAM);
	struct listener first = opened(*state, &plain, &conf);
	struct conf_socket taken = internet("127.0.0.1", port_of(&first), SOCK_STREAM);
	static const struct listener_events events = {0};
	struct listener from, to;
	struct error error;
	int64_t due_ns;

	listener_init(&from, &plain, &taken, &events, *state, NULL);
	listener_init(&to, &plain, &taken, &events, *state, NULL);
	assert_int_equal(listener_open(&from, &error), -1);
	assert_int_equal(from.state, LISTENER_RETRYING);
	due_ns = from.retry.due_ns;
	listener_move(&from, &to);
	assert_int_equal(from.state, LISTENER_CLOSED);
	assert_int_equal(from.retry.slot, 0);
	assert_null(from.problem);
	assert_int_equal(to.state, LISTENER_RETRYING);
	assert_int_not_equal(to.retry.slot, 0);
	assert_int_equal(to.retry.due_ns, due_ns);
	assert_non_null(to.problem);
	listener_close(&to);
	listener_close(&first);
}

static void test_beside(void **state)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	static const struct listener_events events = {0};
	struct listener specific, wildcard;
	struct listener *others[] = {&specific};
	struct error error;

	for (size_t i = 0; i < 2; i++) {
		struct conf_socket conf =
			internet("127.0.0.1", free_port(*state, types[i]), types[i]);
		struct conf_socket all;

		specific = opened(*state, &plain, &conf);
		all = internet("0.0.0.0", port_of(&specific), types[i]);
		listener_init(&wildcard, &plain, &all, &events, *state, NULL);
		assert_int_equal(listener_open(&wildcard, &error), -1);
		listener_close(&wildcard);
		assert_int_equal(listener_open_beside(&wildcard, others, 1, &error), 0);
		assert_int_equal(option(specific.fd, SOL_SOCKET, SO_REUSEPORT), 1);
		/* given up */
		listener_close(&wildcard);
		listener_unshare(others, 1);
		assert_int_equal(option(specific.fd, SOL_SOCKET, SO_REUSEPORT), 0);
		/* done */
		assert_int_equal(listener_open_beside(&wildcard, others, 1, &error), 0);
		assert_int_equal(listener_settle(&wildcard, &error), 0);
		assert_int_equal(option(wildcard.fd, SOL_SOCKET, SO_REUSEPORT), 0);
		listener_close(&specific);
		assert_int_equal(port_of(&wildcard), addr_port(&all.addr));
		/* and now it is in the way again */
		listener_init(&specific, &plain, &conf, &events, *state, NULL);
		conf = internet("127.0.0.1", addr_port(&all.addr), types[i]);
		assert_int_equal(listener_open(&specific, &error), -1);
		listener_close(&specific);
		listener_close(&wildcard);
	}
}

static void unix_socket(struct conf_socket *conf, const char *path, int type)
{
	*conf = (struct conf_socket){.type = type, .text = "unix"};
	assert_int_equal(addr_set_unix(path, &conf->addr), 0);
}

static void test_unix(void **state)
{
	static const struct listener_events events = {0};
	struct conf_service open_to_all = plain;
	char folder[] = "/tmp/superd-change-XXXXXX";
	char path[64], beside[96];
	struct conf_socket stream, packets;
	struct listener old, new;
	struct listener *others[] = {&old};
	struct stat entry;
	struct error error;
	ino_t inode;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	snprintf(beside, sizeof(beside), "%s.superd-new", path);
	unix_socket(&stream, path, SOCK_STREAM);
	unix_socket(&packets, path, SOCK_SEQPACKET);
	old = opened(*state, &plain, &stream);
	assert_int_equal(stat(path, &entry), 0);
	inode = entry.st_ino;
	open_to_all.socket_mode = 0666;
	assert_int_equal(listener_adapt(&old, &open_to_all, &error), 0);
	assert_int_equal(stat(path, &entry), 0);
	assert_int_equal(entry.st_mode & 07777, 0666);
	assert_int_equal(entry.st_ino, inode);

	listener_init(&new, &plain, &packets, &events, *state, NULL);
	assert_int_equal(listener_open_beside(&new, others, 1, &error), 0);
	assert_int_equal(stat(beside, &entry), 0);
	listener_close(&new); /* given up: the old name is untouched */
	assert_int_equal(stat(beside, &entry), -1);
	assert_int_equal(stat(path, &entry), 0);
	assert_int_equal(entry.st_ino, inode);

	assert_int_equal(listener_open_beside(&new, others, 1, &error), 0);
	assert_int_equal(listener_settle(&new, &error), 0);
	assert_int_equal(stat(beside, &entry), -1);
	listener_close(&old); /* the name is not its own any more */
	assert_int_equal(stat(path, &entry), 0);
	assert_int_not_equal(entry.st_ino, inode);
	/* somebody else's socket under the name is left alone */
	assert_int_equal(unlink(path), 0);
	old = opened(*state, &plain, &stream);
	assert_int_equal(listener_adapt(&new, &open_to_all, &error), 0);
	assert_int_equal(stat(path, &entry), 0);
	assert_int_equal(entry.st_mode & 07777, 0660);
	listener_close(&new);
	assert_int_equal(stat(path, &entry), 0);
	listener_close(&old);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_backlog, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_move, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_move_retrying, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_beside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unix, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
