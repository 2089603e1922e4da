/*
 * loop_probe: what the tests of the loop share.
 */
#include "config.h"
#include "tests/unit/loop_probe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>
#include <cmocka.h>

static void on_ready(struct loop_watch *watch, unsigned events)
{
	struct probe *self = (struct probe *)watch;

	self->calls++;
	self->events = events;
	if (self->then != NULL)
		self->then(self);
}

struct loop *probe_loop(enum loop_kind kind)
{
	struct loop *loop;
	struct error error;

	if (loop_new(kind, &loop, &error) == -1)
		fail_msg("%s", error.text);
	return loop;
}

void probe_turn(struct loop *loop)
{
	struct error error;

	if (loop_turn(loop, &error) == -1)
		fail_msg("%s", error.text);
}

void probe_no_fire(struct loop_timer *timer)
{
	(void)timer;
}

void probe_turn_at_once(struct loop *loop)
{
	struct loop_timer timer = {.fire_cb = probe_no_fire};

	assert_int_equal(loop_timer_start(loop, &timer, 0), 0);
	probe_turn(loop);
	loop_timer_stop(loop, &timer);
}

void probe_watch(struct loop *loop, struct probe *probe, int fd, unsigned events)
{
	struct error error;

	probe->watch.fd = fd;
	probe->watch.ready_cb = on_ready;
	probe->loop = loop;
	if (loop_watch_start(loop, &probe->watch, events, &error) == -1)
		fail_msg("%s", error.text);
	assert_int_equal(probe->watch.events, events);
}

void pipe_make(int ends[2])
{
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
}

void pipe_close(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

void pipe_put(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

void probe_fire_again(struct loop_timer *timer)
{
	struct again *again = (struct again *)timer;

	again->fired++;
	assert_int_equal(loop_timer_start(again->loop, timer, 0), 0);
}

bool probe_allow_high(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur > FD_SETSIZE + 64)
		return true;
	if (limit.rlim_max <= FD_SETSIZE + 64)
		return false;
	limit.rlim_cur = FD_SETSIZE + 100;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void run_select(void **state)
{
	const struct loop_case *one = *state;

	one->run(LOOP_SELECT);
}

static void run_epoll(void **state)
{
	const struct loop_case *one = *state;

	one->run(LOOP_EPOLL);
}

int probe_run_both(const struct loop_case *cases, size_t count)
{
	struct CMUnitTest tests[32];
	int failed;

	assert_true(count <= sizeof(tests) / sizeof(tests[0]));
	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){
			cases[i].name, run_select, NULL, NULL, (void *)&cases[i]};
	failed = _cmocka_run_group_tests("select", tests, count, NULL, NULL);
	for (size_t i = 0; i < count; i++)
		tests[i].test_func = run_epoll;
	return failed + _cmocka_run_group_tests("epoll", tests, count, NULL, NULL);
}
