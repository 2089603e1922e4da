/*
 * Tests of services/lib/io and kind: sockets, pipes and files, deadlines, vanished readers.
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BULK (4 * 1024 * 1024)

enum channel { CHANNEL_SOCKET, CHANNEL_PIPE, CHANNEL_COUNT };

/* ends[0] reads what ends[1] writes. */
static void channel_open(enum channel channel, int ends[2])
{
	if (channel == CHANNEL_SOCKET)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	else
		assert_int_equal(pipe(ends), 0);
}

static void flags_check(int fd)
{
	/* The description may be shared: it stays as it was. */
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

static void bulk_goes_through_whole(void **state)
{
	(void)state;
	for (enum channel channel = 0; channel < CHANNEL_COUNT; channel++) {
		struct io_deadline deadline = io_deadline_total(30000);
		unsigned char *data = malloc(BULK), *copy = malloc(BULK + 1000);
		int ends[2], status;
		pid_t writer;

		for (size_t i = 0; i < BULK; i++)
			data[i] = (unsigned char)(i * 7 + i / 251);
		channel_open(channel, ends);
		writer = fork();
		assert_true(writer >= 0);
		if (writer == 0)
			_exit(io_write_full(ends[1], data, BULK, &deadline) == 0 ? 0 : 1);
		close(ends[1]);
		/* More is asked for than comes: the end of file cuts it. */
		assert_int_equal(io_read_full(ends[0], copy, BULK - 1, &deadline), BULK - 1);
		assert_int_equal(io_read_full(ends[0], copy + BULK - 1, 1000, &deadline), 1);
		assert_memory_equal(copy, data, BULK);
		assert_int_equal(io_read(ends[0], copy, 1, &deadline), 0);
		flags_check(ends[0]);
		assert_int_equal(waitpid(writer, &status, 0), writer);
		assert_int_equal(status, 0);
		close(ends[0]);
		free(data);
		free(copy);
	}
}

static void reads_end_at_the_deadline(void **state)
{
	(void)state;
	for (enum channel channel = 0; channel < CHANNEL_COUNT; channel++) {
		struct io_deadline none = io_deadline_idle(0);
		struct io_deadline idle = io_deadline_idle(20);
		struct io_deadline total = io_deadline_total(20);
		char bytes[4];
		int ends[2];

		channel_open(channel, ends);
		assert_int_equal(io_read(ends[0], bytes, 1, &none), -1);
		assert_int_equal(errno, ETIMEDOUT);
		assert_int_equal(io_read(ends[0], bytes, 1, &idle), -1);
		assert_int_equal(errno, ETIMEDOUT);
		assert_int_equal(io_read_full(ends[0], bytes, 4, &total), -1);
		assert_int_equal(errno, ETIMEDOUT);
		assert_int_equal(io_wait(ends[0], POLLIN, &total), -1);
		assert_int_equal(errno, ETIMEDOUT);
		/* What is there is read even when the deadline has passed. */
		assert_int_equal(write(ends[1], "abcd", 4), 4);
		assert_int_equal(io_read_full(ends[0], bytes, 4, &total), 4);
		close(ends[0]);
		close(ends[1]);
	}
}

static void writes_end_at_the_deadline(void **state)
{
	char *data = calloc(1, BULK);

	(void)state;
	for (enum channel channel = 0; channel < CHANNEL_COUNT; channel++) {
		struct io_deadline total = io_deadline_total(20);
		struct io_deadline idle = io_deadline_idle(20);
		struct io_deadline none = io_deadline_idle(0);
		int ends[2];

		channel_open(channel, ends);
		assert_int_equal(io_write_full(ends[1], data, BULK, &total), -1);
		assert_int_equal(errno, ETIMEDOUT);
		assert_int_equal(io_write_full(ends[1], data, BULK, &idle), -1);
		assert_int_equal(errno, ETIMEDOUT);
		assert_int_equal(io_write(ends[1], data, BULK, &none), -1);
		assert_int_equal(errno, ETIMEDOUT);
		flags_check(ends[1]);
		close(ends[0]);
		close(ends[1]);
	}
	free(data);
}

/* In another process: takes one small piece each 40 ms until the end of file. */
static pid_t slow_reader_start(int ends[2], size_t piece)
{
	static const struct timespec pause = {.tv_nsec = 40000000};
	char *scrap;
	pid_t reader = fork();

	assert_true(reader >= 0);
	if (reader != 0)
		return reader;
	close(ends[1]);
	scrap = malloc(piece);
	while (read(ends[0], scrap, piece) > 0)
		nanosleep(&pause, NULL);
	_exit(0);
}

static void an_idle_deadline_waits_for_a_slow_reader(void **state)
{
	struct io_deadline none = io_deadline_idle(0);
	/* Far less than it takes to read the queue down to where poll(2) calls it writable. */
	struct io_deadline idle = io_deadline_idle(120);
	char *data = calloc(1, BULK);
	size_t queued = 0;
	ssize_t put;
	int ends[2], status;
	pid_t reader;

	(void)state;
	channel_open(CHANNEL_SOCKET, ends);
	while ((put = io_write(ends[1], data, 4096, &none)) > 0)
		queued += (size_t)put;
	assert_int_equal(errno, ETIMEDOUT);
	reader = slow_reader_start(ends, queued / 20);
	close(ends[0]);
	assert_int_equal(io_write_full(ends[1], data, 4096, &idle), 0);
	close(ends[1]);
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	free(data);
}

static void a_vanished_reader_is_epipe(void **state)
{
	(void)state;
	io_ignore_sigpipe();
	for (enum channel channel = 0; channel < CHANNEL_COUNT; channel++) {
		struct io_deadline deadline = io_deadline_total(5000);
		int ends[2];

		channel_open(channel, ends);
		close(ends[0]);
		assert_int_equal(io_write_full(ends[1], "x", 1, &deadline), -1);
		assert_int_equal(errno, EPIPE);
		close(ends[1]);
	}
}

static void files_are_read_and_written(void **state)
{
	char path[] = "/tmp/test_io_XXXXXX";
	struct io_deadline deadline = io_deadline_total(0);
	char text[8] = "";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(io_write_full(fd, "hello", 5, &deadline), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(io_read_full(fd, text, sizeof(text), &deadline), 5);
	assert_string_equal(text, "hello");
	close(fd);
	assert_int_equal(io_read(fd, text, 1, &deadline), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(io_write(fd, text, 1, &deadline), -1);
	assert_int_equal(errno, EBADF);
}

/* A connected pair of TCP sockets over loopback. */
static void tcp_pair(int ends[2], int *listener)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(in);

	*listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(*listener, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(*listener, 1), 0);
	assert_int_equal(getsockname(*listener, (struct sockaddr *)&in, &length), 0);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(ends[0], (struct sockaddr *)&in, sizeof(in)), 0);
	ends[1] = accept(*listener, NULL, NULL);
	assert_true(ends[1] >= 0);
}

static void finishing_spares_the_client_a_reset(void **state)
{
	struct io_deadline deadline = io_deadline_total(5000);
	char text[16] = "";
	int ends[2], listener;

	(void)state;
	tcp_pair(ends, &listener);
	assert_int_equal(write(ends[0], "unread", 6), 6);
	assert_int_equal(io_wait(ends[1], POLLIN, &deadline), 0);
	assert_int_equal(io_write_full(ends[1], "answer", 6, &deadline), 0);
	io_finish(ends[1], ends[1]);
	close(ends[1]);
	assert_int_equal(io_read_full(ends[0], text, sizeof(text), &deadline), 6);
	assert_string_equal(text, "answer");
	close(ends[0]);
	close(listener);
}

static void every_kind_is_known(void **state)
{
	int ends[2], pair[2], listener, udp;

	(void)state;
	tcp_pair(ends, &listener);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(kind_of(ends[0]), KIND_STREAM);
	assert_int_equal(kind_of(listener), KIND_LISTENER);
	assert_int_equal(kind_of(udp), KIND_DGRAM);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(kind_of(pair[0]), KIND_STREAM);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(pipe(pair), 0);
	errno = ENOENT;
	assert_int_equal(kind_of(pair[0]), KIND_OTHER);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(kind_of(pair[0]), KIND_OTHER);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(kind_name(KIND_STREAM), "stream");
	assert_string_equal(kind_name(KIND_LISTENER), "listener");
	assert_string_equal(kind_name(KIND_DGRAM), "datagram");
	assert_string_equal(kind_name(KIND_OTHER), "other");
	close(ends[0]);
	close(ends[1]);
	close(listener);
	close(udp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bulk_goes_through_whole),
		cmocka_unit_test(reads_end_at_the_deadline),
		cmocka_unit_test(writes_end_at_the_deadline),
		cmocka_unit_test(an_idle_deadline_waits_for_a_slow_reader),
		cmocka_unit_test(a_vanished_reader_is_epipe),
		cmocka_unit_test(files_are_read_and_written),
		cmocka_unit_test(finishing_spares_the_client_a_reset),
		cmocka_unit_test(every_kind_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
