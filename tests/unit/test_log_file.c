/*
 * test_log_file: files that are rotated, full, or not files at all.
 */
#include "config.h"
#include "superd/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "superd/log_sink.h"
#include "tests/unit/log_lines.h"

static void test_file(void **unused)
{
	struct place place;
	struct line_reader reader = {0};
	struct log_sink *sink;
	struct stat status;

	(void)unused;
	place_make(&place);
	for (unsigned round = 0; round < 2; round++) { /* appends to what is there */
		sink = sink_open_file(place.path, LOG_TEXT);
		assert_true(sink->output->fd >= 256);
		assert_true(fcntl(sink->output->fd, F_GETFD) & FD_CLOEXEC);
		for (unsigned i = 0; i < 3000; i++)
			log_numbered(sink, round * 3000 + i, 60);
		log_sink_close(sink); /* flushes */
	}
	assert_int_equal(stat(place.path, &status), 0);
	assert_int_equal(status.st_mode & 07007, 0);
	lines_read_file(&reader, place.path);
	assert_int_equal(reader.seen, 6000);
	place_remove(&place);
}

static void test_file_error(void **unused)
{
	const struct log_spec spec = {.to = LOG_TO_FILE, .file = "/nonexistent/log"};
	struct log_sink *sink;
	struct error error;

	(void)unused;
	assert_int_equal(log_sink_open(&spec, &sink, &error), -1);
	assert_int_equal(error.code, ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent/log"));
}

/* The way of logrotate: renamed, lines go on into the old one; reopened, into the new one. */
static void test_rotated(void **unused)
{
	struct place place;
	struct line_reader old = {0};
	struct line_reader new = {.next = 3};
	struct log_sink *sink;
	struct error error;

	(void)unused;
	place_make(&place);
	sink = sink_open_file(place.path, LOG_TEXT);
	log_numbered(sink, 0, 0);
	log_flush();
	assert_int_equal(rename(place.path, place.other), 0);
	log_numbered(sink, 1, 0);
	log_flush();
	log_numbered(sink, 2, 0); /* still in the buffer: belongs to the old one */
	assert_int_equal(log_reopen(&error), 0);
	log_numbered(sink, 3, 0);
	log_flush();
	lines_read_file(&old, place.other);
	lines_read_file(&new, place.path);
	assert_int_equal(old.next, 3);
	assert_int_equal(new.next, 4);
	log_sink_close(sink);
	place_remove(&place);
}

static void test_reopen_fails(void **unused)
{
	struct place place;
	struct line_reader reader = {0};
	struct log_sink *sink;
	struct error error;
	int fd;

	(void)unused;
	place_make(&place);
	sink = sink_open_file(place.path, LOG_TEXT);
	fd = open(place.path, O_RDONLY);
	assert_int_equal(unlink(place.path), 0);
	assert_int_equal(mkdir(place.path, 0700), 0);
	log_numbered(sink, 0, 0);
	assert_int_equal(log_reopen(&error), -1);
	assert_int_equal(error.code, EISDIR);
	log_numbered(sink, 1, 0);
	log_flush();
	lines_drain(&reader, fd, 0); /* the old one stays in use */
	assert_int_equal(reader.next, 2);
	close(fd);
	log_sink_close(sink);
	assert_int_equal(rmdir(place.path), 0);
	place_remove(&place);
}

static void test_dev_full(void **unused)
{
	struct log_sink *sink = sink_open_file("/dev/full", LOG_TEXT);
	uint64_t before = log_dropped();

	(void)unused;
	for (unsigned i = 0; i < 5000; i++) {
		log_numbered(sink, i, 0);
		if (i % 7 == 0)
			log_flush();
	}
	log_flush();
	assert_int_equal(log_dropped() - before, 5000);
	assert_true(log_pending());
	log_sink_close(sink);
	assert_int_equal(log_dropped() - before, 5000);
	assert_false(log_pending());
}

/* A limit on the file's size stands for a full disk: it takes half a line and then no more. */
static void limit_file(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk fills up in the midst of a line, and has room again. */
static void test_disk_full(void **unused)
{
	struct place place;
	struct line_reader reader = {0};
	uint64_t before = log_dropped();
	struct log_sink *sink;
	unsigned sent = 0;

	(void)unused;
	place_make(&place);
	sink = sink_open_file(place.path, LOG_TEXT);
	limit_file(1000);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 5; i++)
			log_numbered(sink, sent++, 20);
		log_flush();
	}
	assert_true(log_dropped() - before > 200);
	lines_read_file(&reader, place.path);
	assert_true(reader.used > 0); /* cut */
	limit_file(RLIM_INFINITY);
	log_flush();
	log_numbered(sink, sent++, 20);
	log_flush();
	assert_false(log_pending());
	reader = (struct line_reader){0};
	lines_read_file(&reader, place.path);
	assert_int_equal(reader.next, sent);
	assert_int_equal(reader.told, log_dropped() - before);
	assert_int_equal(reader.tellers, 1);
	assert_int_equal(reader.used, 0);
	log_sink_close(sink);
	place_remove(&place);
}

/* Rotated while full: the new file begins with a whole line. */
static void test_rotated_while_full(void **unused)
{
	struct place place;
	struct line_reader reader = {0};
	uint64_t before = log_dropped();
	struct log_sink *sink;
	unsigned sent = 0;

	(void)unused;
	place_make(&place);
	sink = sink_open_file(place.path, LOG_TEXT);
	limit_file(1000);
	for (int i = 0; i < 50; i++)
		log_numbered(sink, sent++, 20);
	log_flush();
	lines_read_file(&reader, place.path);
	assert_true(reader.used > 0); /* cut */
	assert_int_equal(rename(place.path, place.other), 0);
	assert_int_equal(log_reopen(NULL), 0);
	limit_file(RLIM_INFINITY);
	log_numbered(sink, sent++, 20);
	log_flush();
	reader.used = 0;
	lines_read_file(&reader, place.path);
	assert_int_equal(reader.next, sent);
	assert_int_equal(reader.told, log_dropped() - before);
	log_sink_close(sink);
	place_remove(&place);
}

/* A FIFO whose reader goes and another comes: the new one sees whole lines and the count. */
static void test_fifo(void **unused)
{
	struct place place;
	struct line_reader first = {0};
	struct line_reader second = {0};
	uint64_t before = log_dropped();
	struct log_sink *sink;
	unsigned sent = 0;
	int fd;

	(void)unused;
	place_make(&place);
	assert_int_equal(mkfifo(place.path, 0600), 0);
	fd = open(place.path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	sink = sink_open_file(place.path, LOG_TEXT);
	log_numbered(sink, sent++, 1000);
	log_flush();        /* takes a page of the pipe, so that the rest does not fit evenly */
	while (sent < 1200) /* more than the pipe holds: the last line is cut */
		log_numbered(sink, sent++, 20);
	log_flush();
	assert_true(log_pending());
	lines_drain(&first, fd, 0);
	assert_true(first.used > 0);
	close(fd);
	for (int i = 0; i < 5; i++) { /* log-dropped itself is dropped, but not what it told */
		log_numbered(sink, sent++, 20);
		log_flush();
	}
	fd = open(place.path, O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	log_numbered(sink, sent++, 20);
	log_flush();
	second.next = first.next;
	lines_drain(&second, fd, 0);
	assert_int_equal(second.next, sent);
	assert_int_equal(second.told, log_dropped() - before);
	close(fd);
	log_sink_close(sink);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_error),
		cmocka_unit_test(test_rotated),
		cmocka_unit_test(test_reopen_fails),
		cmocka_unit_test(test_dev_full),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_rotated_while_full),
		cmocka_unit_test(test_fifo),
	};

	alarm(60);                /* against blocking */
	signal(SIGPIPE, SIG_IGN); /* as superd does */
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests_name("log_file", tests, NULL, NULL);
}
