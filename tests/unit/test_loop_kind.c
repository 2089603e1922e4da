/*
 * test_loop_kind: what is one back end's own, and the move from select to epoll.
 */
#include "config.h"
#include "superd/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/unit/loop_probe.h"

static void no_call(struct loop_watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
	fail_msg("called");
}

static void start_high(struct probe *self)
{
	if (self->calls > 1)
		return;
	probe_watch(self->loop, self->other, self->fd, LOOP_READ);
}

/* A descriptor that does not fit select moves a loop of kind auto, in the midst of a turn. */
static void test_move(void **unused)
{
	struct loop *loop = probe_loop(LOOP_AUTO);
	struct probe in = {.then = start_high};
	struct probe out = {0};
	struct probe gone = {0};
	struct probe high = {0};
	struct again again = {.timer = {.fire_cb = probe_fire_again}, .loop = loop};
	int ends[2];

	(void)unused;
	if (!probe_allow_high()) {
		loop_free(loop);
		print_message("SKIP test_move: RLIMIT_NOFILE allows no descriptor above %d\n",
			FD_SETSIZE);
		skip();
	}
	pipe_make(ends);
	pipe_put(ends[1]);
	in.other = &high;
	in.fd = fcntl(ends[0], F_DUPFD_CLOEXEC, FD_SETSIZE);
	assert_true(in.fd >= FD_SETSIZE);
	probe_watch(loop, &in, ends[0], LOOP_READ);
	probe_watch(loop, &out, ends[1], LOOP_WRITE);
	gone.fd = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
	probe_watch(loop, &gone, gone.fd, LOOP_READ);
	loop_watch_stop(loop, &gone.watch);
	assert_int_equal(loop_timer_start(loop, &again.timer, 0), 0);
	assert_int_equal(loop_kind(loop), LOOP_SELECT);
	probe_turn(loop);
	assert_int_equal(loop_kind(loop), LOOP_EPOLL);
	assert_int_equal(out.calls, 1); /* fetched by select, given after the move */
	assert_int_equal(high.calls, 0);
	probe_turn(loop);
	assert_int_equal(in.calls, 2);
	assert_int_equal(out.calls, 2);
	assert_int_equal(high.calls, 1);
	assert_int_equal(gone.calls, 0);
	assert_int_equal(again.fired, 2);
	loop_watch_stop(loop, &high.watch);
	probe_watch(loop, &in, ends[0], LOOP_READ);
	probe_turn(loop);
	assert_int_equal(high.calls, 1);
	assert_int_equal(in.calls, 3);
	loop_free(loop);
	close(gone.fd);
	close(in.fd);
	pipe_close(ends);
}

static void test_select_too_high(void **unused)
{
	struct loop *loop = probe_loop(LOOP_SELECT);
	struct loop_watch high = {.fd = FD_SETSIZE, .ready_cb = no_call};
	struct loop_watch negative = {.fd = -1, .ready_cb = no_call};
	struct error error;

	(void)unused;
	assert_int_equal(loop_watch_start(loop, &high, LOOP_READ, &error), -1);
	assert_int_equal(error.code, EBADF);
	assert_int_equal(loop_watch_start(loop, &negative, LOOP_READ, &error), -1);
	assert_int_equal(error.code, EBADF);
	assert_int_equal(high.events, 0);
	assert_int_equal(loop_kind(loop), LOOP_SELECT);
	probe_turn_at_once(loop);
	loop_free(loop);
}

/* epoll takes no regular file: an error, and nothing is watched. */
static void test_epoll_regular_file(void **unused)
{
	struct loop *loop = probe_loop(LOOP_EPOLL);
	FILE *file = tmpfile();
	struct loop_watch regular = {.ready_cb = no_call};
	struct error error;

	(void)unused;
	assert_non_null(file);
	regular.fd = fileno(file);
	assert_int_equal(loop_watch_start(loop, &regular, LOOP_READ, &error), -1);
	assert_int_equal(error.code, EPERM);
	assert_int_equal(regular.events, 0);
	loop_watch_stop(loop, &regular);
	probe_turn_at_once(loop);
	loop_free(loop);
	fclose(file);
}

/* A watch that epoll refuses holds the whole loop at select. */
static void test_move_refused(void **unused)
{
	struct loop *loop = probe_loop(LOOP_AUTO);
	FILE *file = tmpfile();
	struct probe regular = {0};
	struct loop_watch high = {.ready_cb = no_call};
	struct error error;
	int ends[2];

	(void)unused;
	assert_non_null(file);
	pipe_make(ends);
	probe_watch(loop, &regular, fileno(file), LOOP_READ);
	high.fd = probe_allow_high() ? fcntl(ends[0], F_DUPFD_CLOEXEC, FD_SETSIZE) : FD_SETSIZE;
	assert_int_equal(loop_watch_start(loop, &high, LOOP_READ, &error), -1);
	assert_int_equal(error.code, EPERM);
	assert_int_equal(loop_kind(loop), LOOP_SELECT);
	probe_turn(loop);
	assert_int_equal(regular.calls, 1);
	loop_free(loop);
	close(high.fd);
	pipe_close(ends);
	fclose(file);
}

/* Closed under its watch: its owner is told, the others go on, nothing spins unseen. */
static void test_select_bad(void **unused)
{
	struct loop *loop = probe_loop(LOOP_SELECT);
	struct probe bad = {0};
	struct probe silent = {0};
	struct probe good = {0};
	int ends[2];
	int silent_ends[2];

	(void)unused;
	pipe_make(ends);
	pipe_make(silent_ends);
	pipe_put(ends[1]);
	probe_watch(loop, &bad, fcntl(ends[0], F_DUPFD_CLOEXEC, 3), LOOP_READ | LOOP_WRITE);
	probe_watch(loop, &good, ends[0], LOOP_READ);
	probe_watch(loop, &silent, silent_ends[0], LOOP_READ);
	close(bad.watch.fd);
	probe_turn(loop);
	assert_int_equal(bad.calls, 1);
	assert_int_equal(bad.events, LOOP_READ | LOOP_WRITE);
	assert_int_equal(good.calls, 1);
	assert_int_equal(good.events, LOOP_READ);
	assert_int_equal(silent.calls, 0);
	loop_watch_stop(loop, &bad.watch);
	probe_turn(loop);
	assert_int_equal(bad.calls, 1);
	assert_int_equal(good.calls, 2);
	loop_free(loop);
	pipe_close(ends);
	pipe_close(silent_ends);
}

static void test_kind(void **unused)
{
	struct loop *loop = probe_loop(LOOP_AUTO);

	(void)unused;
	assert_int_equal(loop_kind(loop), LOOP_SELECT);
	loop_free(loop);
	loop = probe_loop(LOOP_EPOLL);
	assert_int_equal(loop_kind(loop), LOOP_EPOLL);
	loop_free(loop);
	loop_free(NULL);
	assert_string_equal(loop_kind_name(LOOP_AUTO), "auto");
	assert_string_equal(loop_kind_name(LOOP_SELECT), "select");
	assert_string_equal(loop_kind_name(LOOP_EPOLL), "epoll");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kind),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_move_refused),
		cmocka_unit_test(test_select_too_high),
		cmocka_unit_test(test_select_bad),
		cmocka_unit_test(test_epoll_regular_file),
	};

	alarm(60); /* against hanging */
	return cmocka_run_group_tests_name("loop_kind", tests, NULL, NULL);
}
