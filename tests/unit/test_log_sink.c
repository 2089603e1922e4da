/*
 * test_log_sink: standard error that does not take what it is given, and sinks that share.
 */
#include "config.h"
#include "superd/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "superd/log_sink.h"
#include "tests/unit/log_lines.h"

/* --- standard error that is full --- */

/* What superd finds as descriptor 2. */
struct world {
	const char *name;
	bool is_socket;
	bool has_proc;
};

static const struct world worlds[] = {
	{"pipe", false, true},
	{"pipe without /proc", false, false},
	{"stream socket", true, true},
};

struct stage {
	struct log_sink *sink;
	int read_fd;
	int write_fd; /* what the sink was made from; blocking */
	int flags;    /* of it */
};

static void stage_open(struct stage *stage, const struct world *world)
{
	const struct log_spec spec = {.to = LOG_TO_STDERR};
	char path[64];
	struct log_places places = {.stderr_path = path};
	int ends[2];

	if (world->is_socket)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	else
		assert_int_equal(pipe(ends), 0);
	if (!world->is_socket)
		assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	stage->read_fd = ends[0];
	stage->write_fd = places.stderr_fd = ends[1];
	stage->flags = fcntl(ends[1], F_GETFL);
	snprintf(path, sizeof(path), "%s/%d", world->has_proc ? "/proc/self/fd" : "/nonexistent",
		ends[1]);
	stage->sink = sink_open(&spec, &places);
	assert_true(stage->sink->output->is_guarded == !world->has_proc);
	assert_true(stage->sink->output->fd >= 256);
	assert_true(fcntl(stage->sink->output->fd, F_GETFD) & FD_CLOEXEC);
}

static void stage_close(struct stage *stage)
{
	/* the inherited description is others' too */
	assert_int_equal(fcntl(stage->write_fd, F_GETFL), stage->flags);
	log_sink_close(stage->sink);
	if (stage->read_fd >= 0)
		close(stage->read_fd);
	close(stage->write_fd);
}

/* Nobody reads: nothing blocks, the overflow is counted, and told first when there is room. */
static void test_full(void **state)
{
	struct stage stage;
	struct line_reader reader = {0};
	uint64_t before = log_dropped();
	unsigned sent = 0;

	stage_open(&stage, *state);
	while (log_dropped() < before + 100) {
		log_numbered(stage.sink, sent++, 50);
		if (sent % 30 == 0)
			log_flush();
	}
	assert_true(log_pending());
	lines_drain(&reader, stage.read_fd, 0);
	assert_int_equal(reader.told, 0);
	log_numbered(stage.sink, sent++, 50); /* not yet: older ones come first */
	while (log_pending()) {
		log_flush();
		lines_drain(&reader, stage.read_fd, 0);
	}
	assert_int_equal(reader.tellers, 1);
	assert_int_equal(reader.told, log_dropped() - before);
	log_numbered(stage.sink, sent++, 50);
	log_flush();
	lines_drain(&reader, stage.read_fd, 0);
	assert_int_equal(reader.next, sent);
	assert_int_equal(reader.seen + reader.told, sent);
	assert_int_equal(reader.used, 0);
	stage_close(&stage);
}

/* A reader that takes odd amounts: cut lines, again and again. */
static void test_slow(void **state)
{
	struct stage stage;
	struct line_reader reader = {0};
	uint64_t before = log_dropped();
	unsigned sent = 0;

	stage_open(&stage, *state);
	srandom(1);
	for (int round = 0; round < 3000; round++) {
		for (long i = random() % 12; i > 0; i--)
			log_numbered(stage.sink, sent++, (int)(random() % 900));
		log_flush();
		lines_drain(&reader, stage.read_fd, (size_t)(random() % 3000) + 1);
	}
	while (log_pending()) {
		log_flush();
		lines_drain(&reader, stage.read_fd, 0);
	}
	lines_drain(&reader, stage.read_fd, 0);
	assert_true(reader.tellers > 1);
	assert_int_equal(reader.told, log_dropped() - before);
	assert_int_equal(reader.next, sent);
	assert_int_equal(reader.used, 0);
	stage_close(&stage);
}

/* Nobody will ever read: dropped and counted, no signal, and one attempt a flush. */
static void test_gone(void **state)
{
	struct stage stage;
	uint64_t before = log_dropped();

	stage_open(&stage, *state);
	log_numbered(stage.sink, 0, 3000); /* fits a pipe of 4096, waits there */
	log_flush();
	log_numbered(stage.sink, 1, 900);
	log_numbered(stage.sink, 2, 900);
	log_flush();
	close(stage.read_fd);
	stage.read_fd = -1;
	for (unsigned i = 3; i < 5000; i++) {
		log_numbered(stage.sink, i, 0);
		if (i % 10 == 0)
			log_flush();
	}
	log_flush();
	assert_in_range(log_dropped() - before, 4997, 5000);
	stage_close(&stage);
}

/* Descriptor 2 is closed: no error, and never a number that somebody else has by then. */
static void test_closed(void **unused)
{
	const struct log_spec spec = {.to = LOG_TO_STDERR};
	uint64_t before = log_dropped();
	struct log_places places = {.stderr_path = "/proc/self/fd/none"};
	struct log_sink *sink;
	char byte;
	int ends[2];

	(void)unused;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	places.stderr_fd = fcntl(ends[1], F_DUPFD, 200);
	assert_int_equal(close(places.stderr_fd), 0);
	sink = sink_open(&spec, &places);
	assert_int_equal(dup2(ends[1], places.stderr_fd), places.stderr_fd);
	log_numbered(sink, 0, 0);
	log_flush();
	assert_int_equal(read(ends[0], &byte, 1), -1);
	assert_int_equal(log_dropped() - before, 1);
	log_sink_close(sink);
	close(places.stderr_fd);
	close(ends[0]);
	close(ends[1]);
}

/* A file has others beside superd, main's last words among them: they go on where it stopped. */
static void test_file_is_shared(void **unused)
{
	const struct log_spec spec = {.to = LOG_TO_STDERR};
	struct log_places places;
	struct log_sink *sink;
	struct place place;
	char bytes[256] = "";
	char path[64];

	(void)unused;
	place_make(&place);
	places = (struct log_places){.stderr_path = path};
	places.stderr_fd = open(place.path, O_RDWR | O_CREAT, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", places.stderr_fd);
	assert_int_equal(write(places.stderr_fd, "before\n", 7), 7);
	sink = sink_open(&spec, &places);
	log_numbered(sink, 0, 0);
	log_sink_close(sink);
	assert_int_equal(write(places.stderr_fd, "after\n", 6), 6);
	assert_true(pread(places.stderr_fd, bytes, sizeof(bytes) - 1, 0) > 13);
	assert_memory_equal(bytes, "before\n", 7);
	assert_non_null(strstr(bytes, " n=0\nafter\n"));
	close(places.stderr_fd);
	place_remove(&place);
}

/* --- sharing --- */

static void test_shared(void **unused)
{
	struct place place;
	struct line_reader reader = {0};
	struct log_sink *first;
	struct log_sink *json;
	int fd;

	(void)unused;
	place_make(&place);
	first = sink_open_file(place.path, LOG_TEXT);
	assert_ptr_equal(sink_open_file(place.path, LOG_TEXT), first);
	json = sink_open_file(place.path, LOG_JSON);
	assert_ptr_not_equal(json, first);
	assert_ptr_equal(json->output, first->output); /* one buffer: no torn lines */
	fd = first->output->fd;
	log_sink_close(first);
	log_numbered(first, 0, 0);
	log_sink_close(json);
	log_numbered(first, 1, 0);
	log_sink_close(first);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	lines_read_file(&reader, place.path);
	assert_int_equal(reader.next, 2);
	log_sink_close(NULL);
	place_remove(&place);
}

/* The sink that is to tell of what was dropped is closed before it could: the other one tells. */
static void test_teller_leaves(void **state)
{
	const struct log_spec spec = {.to = LOG_TO_STDERR, .format = LOG_JSON};
	struct stage stage;
	struct log_places places;
	char path[64];
	struct log_sink *json;
	char bytes[8192];
	ssize_t got;
	uint64_t before = log_dropped();

	stage_open(&stage, *state);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", stage.write_fd);
	places = (struct log_places){.stderr_fd = stage.write_fd, .stderr_path = path};
	json = sink_open(&spec, &places);
	assert_ptr_equal(json->output, stage.sink->output);
	while (log_dropped() == before)
		log_numbered(stage.sink, 0, 900);
	log_numbered(json, 0, 900);
	assert_ptr_equal(json->output->told_by, json);
	log_sink_close(json);
	assert_ptr_equal(stage.sink->output->told_by, stage.sink);
	do {
		log_flush();
		got = read(stage.read_fd, bytes, sizeof(bytes) - 1);
		assert_true(got > 0);
	} while (log_pending());
	bytes[got] = '\0';
	assert_non_null(strstr(bytes, "event=log-dropped"));
	stage_close(&stage);
}

/* Lines of both formats come out in the order they went in. */
static void test_two_formats(void **unused)
{
	struct place place;
	struct log_sink *sinks[2];
	char bytes[8192];
	char *line;
	ssize_t got;
	int fd;

	(void)unused;
	place_make(&place);
	sinks[0] = sink_open_file(place.path, LOG_TEXT);
	sinks[1] = sink_open_file(place.path, LOG_JSON);
	for (unsigned i = 0; i < 20; i++)
		log_numbered(sinks[i % 2], i, 0);
	log_sink_close(sinks[0]);
	log_sink_close(sinks[1]);
	fd = open(place.path, O_RDONLY);
	got = read(fd, bytes, sizeof(bytes) - 1);
	assert_true(got > 0);
	bytes[got] = '\0';
	line = strtok(bytes, "\n");
	for (unsigned i = 0; i < 20; i++, line = strtok(NULL, "\n")) {
		char expected[32];

		assert_non_null(line);
		snprintf(expected, sizeof(expected), i % 2 ? "\"n\":%u}" : " n=%u", i);
		assert_non_null(strstr(line, expected));
		assert_true((line[0] == '{') == (i % 2));
	}
	assert_null(line);
	close(fd);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_full, (void *)&worlds[0]),
		cmocka_unit_test_prestate(test_full, (void *)&worlds[1]),
		cmocka_unit_test_prestate(test_full, (void *)&worlds[2]),
		cmocka_unit_test_prestate(test_slow, (void *)&worlds[0]),
		cmocka_unit_test_prestate(test_slow, (void *)&worlds[1]),
		cmocka_unit_test_prestate(test_slow, (void *)&worlds[2]),
		cmocka_unit_test_prestate(test_gone, (void *)&worlds[0]),
		cmocka_unit_test_prestate(test_gone, (void *)&worlds[1]),
		cmocka_unit_test_prestate(test_gone, (void *)&worlds[2]),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_file_is_shared),
		cmocka_unit_test(test_shared),
		cmocka_unit_test_prestate(test_teller_leaves, (void *)&worlds[0]),
		cmocka_unit_test(test_two_formats),
	};

	alarm(60);                /* against blocking */
	signal(SIGPIPE, SIG_IGN); /* as superd does */
	return cmocka_run_group_tests_name("log_sink", tests, NULL, NULL);
}
