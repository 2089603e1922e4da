/*
 * test_log_syslog: the syslog daemon's datagrams, and a daemon that comes and goes.
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
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>
#include "superd/clock.h"
#include "superd/log_sink.h"
#include "tests/unit/log_lines.h"

static int bind_syslog(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static struct log_sink *open_syslog(const char *path, enum log_format format, int facility)
{
	const struct log_spec spec = {.to = LOG_TO_SYSLOG, .format = format, .facility = facility};
	const struct log_places places = {.stderr_fd = -1, .syslog_path = path};

	return sink_open(&spec, &places);
}

static ssize_t receive(int fd, char *line, size_t size)
{
	ssize_t got = recv(fd, line, size - 1, MSG_DONTWAIT);

	line[got < 0 ? 0 : got] = '\0';
	return got;
}

/* "<30>Nov 20 15:16:00 superd[123]: " and the fields; returns the fields. */
static const char *check_syslog(const char *line, int priority)
{
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	char month[4];
	int got_priority;
	int day;
	int hour;
	int minute;
	int second;
	int pid;
	int used = 0;
	int known = 0;

	assert_int_equal(sscanf(line, "<%d>%3s %2d %2d:%2d:%2d superd[%d]: %n", &got_priority,
				 month, &day, &hour, &minute, &second, &pid, &used),
		7);
	assert_int_equal(got_priority, priority);
	assert_int_equal(pid, getpid());
	assert_true(line[strcspn(line, ">") + 4] == ' ');
	assert_true(line[strcspn(line, ">") + 16] == ' '); /* fixed width: "Nov  2" */
	for (int i = 0; i < 12; i++)
		known += strcmp(month, months[i]) == 0;
	assert_int_equal(known, 1);
	return line + used;
}

static void test_syslog(void **unused)
{
	static const struct {
		enum log_level level;
		int priority;
	} levels[] = {{LEVEL_ERROR, LOG_ERR}, {LEVEL_WARNING, LOG_WARNING},
		{LEVEL_NOTICE, LOG_NOTICE}, {LEVEL_INFO, LOG_INFO}, {LEVEL_DEBUG, LOG_DEBUG}};
	struct place place;
	struct log_record record;
	struct log_sink *text;
	struct log_sink *json;
	char line[1024];
	int fd;

	(void)unused;
	place_make(&place);
	fd = bind_syslog(place.path);
	text = open_syslog(place.path, LOG_TEXT, LOG_DAEMON);
	json = open_syslog(place.path, LOG_JSON, LOG_LOCAL3);
	for (size_t i = 0; i < 5; i++) {
		log_begin(&record, text, levels[i].level, "a");
		log_string(&record, "v", "x y");
		log_end(&record);
		log_begin(&record, json, levels[i].level, "b");
		log_end(&record);
	}
	assert_int_equal(receive(fd, line, sizeof(line)), -1); /* not before the flush */
	log_flush();
	for (size_t i = 0; i < 5; i++) {
		assert_true(receive(fd, line, sizeof(line)) > 0);
		assert_string_equal(
			check_syslog(line, LOG_DAEMON | levels[i].priority), "event=a v=\"x y\"");
		assert_true(receive(fd, line, sizeof(line)) > 0);
		assert_string_equal(
			check_syslog(line, LOG_LOCAL3 | levels[i].priority), "{\"event\":\"b\"}");
	}
	assert_true(text->output->fd >= 256);
	assert_true(fcntl(text->output->fd, F_GETFD) & FD_CLOEXEC);
	log_sink_close(text);
	log_sink_close(json);
	close(fd);
	place_remove(&place);
}

/* Counts what has come; numbers must rise without a gap but for what is told. */
static void receive_all(struct line_reader *reader, int fd)
{
	char line[2048];
	unsigned number;

	while (receive(fd, line, sizeof(line)) > 0) {
		const char *fields = strstr(line, "]: ") + 3;

		if (sscanf(fields, "event=log-dropped count=%u", &number) == 1) {
			check_syslog(line, LOG_DAEMON | LOG_WARNING);
			reader->told += number;
			reader->next += number;
		} else {
			assert_int_equal(sscanf(fields, "event=test n=%u", &number), 1);
			assert_int_equal(number, reader->next);
			reader->next++;
		}
	}
}

/* Flushes until all has come; the sink looks for the daemon once a second. */
static void flush_until(struct line_reader *reader, int fd, unsigned next)
{
	int64_t limit_ns = clock_now_ns() + 20 * CLOCK_NS_PER_S;

	while (reader->next < next) {
		assert_true(clock_now_ns() < limit_ns);
		usleep(5000);
		log_flush();
		receive_all(reader, fd);
	}
	assert_int_equal(reader->next, next);
}

/* The daemon is absent, comes, stops reading, and is started anew. */
static void test_syslog_restarts(void **unused)
{
	struct place place;
	struct line_reader reader = {0};
	uint64_t before = log_dropped();
	struct log_sink *sink;
	unsigned sent = 0;
	int64_t tried_ns;
	int fd;

	(void)unused;
	place_make(&place);
	sink = open_syslog(place.path, LOG_TEXT, LOG_DAEMON);
	log_numbered(sink, sent++, 0);
	tried_ns = clock_now_ns();
	log_flush();
	assert_int_equal(sink->output->fd, -1);
	fd = bind_syslog(place.path);
	log_flush(); /* too early to try again, unless the test was held up so long */
	if (clock_now_ns() < tried_ns + CLOCK_NS_PER_S)
		assert_int_equal(sink->output->fd, -1);
	flush_until(&reader, fd, sent);
	while (log_dropped() < before + 100) { /* its queue fills up, and so does the buffer */
		log_numbered(sink, sent++, 0);
		log_flush();
	}
	flush_until(&reader, fd, sent);
	assert_int_equal(reader.told, log_dropped() - before);
	close(fd);
	log_numbered(sink, sent++, 0);
	log_flush();
	assert_true(log_pending());
	assert_int_equal(unlink(place.path), 0);
	fd = bind_syslog(place.path);
	flush_until(&reader, fd, sent);
	assert_false(log_pending());
	log_sink_close(sink);
	close(fd);
	place_remove(&place);
}

static void test_syslog_path(void **unused)
{
	char path[200];
	const struct log_spec spec = {.to = LOG_TO_SYSLOG};
	const struct log_places places = {.syslog_path = path};
	struct log_sink *sink;
	struct error error;

	(void)unused;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(log_sink_open_at(&spec, &places, &sink, &error), -1);
	assert_int_equal(error.code, ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_syslog_restarts),
		cmocka_unit_test(test_syslog_path),
	};

	alarm(60);                /* against blocking */
	signal(SIGPIPE, SIG_IGN); /* as superd does */
	return cmocka_run_group_tests_name("log_syslog", tests, NULL, NULL);
}
