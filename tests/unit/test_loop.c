/*
 * test_loop: watches, over both back ends.
 */
#include "config.h"
#include "superd/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/unit/loop_probe.h"

static void test_ready(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe in = {0};
	struct probe out = {0};
	int ends[2];

	pipe_make(ends);
	probe_watch(loop, &in, ends[0], LOOP_READ);
	probe_turn_at_once(loop);
	assert_int_equal(in.calls, 0);
	pipe_put(ends[1]);
	probe_turn(loop);
	probe_turn(loop); /* level-triggered */
	assert_int_equal(in.calls, 2);
	assert_int_equal(in.events, LOOP_READ);
	probe_watch(loop, &out, ends[1], LOOP_WRITE);
	probe_turn(loop);
	assert_int_equal(in.calls, 3);
	assert_int_equal(out.calls, 1);
	assert_int_equal(out.events, LOOP_WRITE);
	loop_watch_stop(loop, &in.watch);
	loop_watch_stop(loop, &in.watch);
	assert_int_equal(in.watch.events, 0);
	probe_turn(loop);
	assert_int_equal(in.calls, 3);
	assert_int_equal(out.calls, 2);
	loop_watch_stop(loop, &out.watch);
	loop_free(loop);
	pipe_close(ends);
}

static void test_change(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe both = {0};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	pipe_put(ends[1]);
	probe_watch(loop, &both, ends[0], LOOP_READ);
	probe_turn(loop);
	assert_int_equal(both.events, LOOP_READ);
	probe_watch(loop, &both, ends[0], LOOP_READ);
	probe_watch(loop, &both, ends[0], LOOP_READ | LOOP_WRITE);
	probe_turn(loop);
	assert_int_equal(both.events, LOOP_READ | LOOP_WRITE);
	probe_watch(loop, &both, ends[0], LOOP_WRITE);
	probe_turn(loop);
	assert_int_equal(both.events, LOOP_WRITE);
	probe_watch(loop, &both, ends[0], 0);
	probe_turn_at_once(loop);
	assert_int_equal(both.calls, 3);
	loop_free(loop);
	pipe_close(ends);
}

static void test_hang_up(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe in = {0};
	struct probe out = {0};
	int ended[2];
	int unread[2];

	pipe_make(ended);
	pipe_make(unread);
	probe_watch(loop, &in, ended[0], LOOP_READ);
	close(ended[1]);
	while (write(unread[1], "xxxxxxxx", 8) > 0)
		;
	probe_watch(loop, &out, unread[1], LOOP_WRITE);
	close(unread[0]);
	probe_turn(loop);
	assert_int_equal(in.events, LOOP_READ);
	assert_int_equal(out.events, LOOP_WRITE);
	loop_free(loop);
	close(ended[0]);
	close(unread[1]);
}

static void stop_other(struct probe *self)
{
	loop_watch_stop(self->loop, &self->other->watch);
}

/* Two are ready in one batch; whichever comes first stops the other. */
static void test_stop_other(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe probes[2] = {{.then = stop_other}, {.then = stop_other}};
	int ends[2][2];

	for (int i = 0; i < 2; i++) {
		pipe_make(ends[i]);
		pipe_put(ends[i][1]);
		probes[i].other = &probes[!i];
		probe_watch(loop, &probes[i], ends[i][0], LOOP_READ);
	}
	probe_turn(loop);
	assert_int_equal(probes[0].calls + probes[1].calls, 1);
	loop_free(loop);
	pipe_close(ends[0]);
	pipe_close(ends[1]);
}

static void free_other(struct probe *self)
{
	if (self->other == NULL)
		return;
	loop_watch_stop(self->loop, &self->other->watch);
	free(self->other);
	self->other = NULL;
}

/* The owner of a fetched event is freed: valgrind and AddressSanitizer look on. */
static void test_free_other(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe *probes[2];
	int ends[2][2];
	int left;

	for (int i = 0; i < 2; i++) {
		probes[i] = calloc(1, sizeof(*probes[i]));
		assert_non_null(probes[i]);
		probes[i]->then = free_other;
		pipe_make(ends[i]);
		pipe_put(ends[i][1]);
	}
	for (int i = 0; i < 2; i++) {
		probes[i]->other = probes[!i];
		probe_watch(loop, probes[i], ends[i][0], LOOP_READ);
	}
	probe_turn(loop);
	/* the first called is the one left; the lower descriptor comes first in both */
	left = 0;
	assert_int_equal(probes[left]->calls, 1);
	assert_null(probes[left]->other);
	probe_turn(loop);
	assert_int_equal(probes[left]->calls, 2);
	loop_free(loop);
	free(probes[left]);
	pipe_close(ends[0]);
	pipe_close(ends[1]);
}

/* Closes the other's descriptor and watches a silent pipe under the same number. */
static void reuse_other(struct probe *self)
{
	struct probe *new = self->other->other;
	int fd = self->other->watch.fd;

	if (new->watch.events != 0)
		return;
	loop_watch_stop(self->loop, &self->other->watch);
	close(fd);
	assert_int_equal(fcntl(self->fd, F_DUPFD_CLOEXEC, fd), fd);
	probe_watch(self->loop, new, fd, LOOP_READ);
}

static void test_reused_number(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe new = {0};
	struct probe probes[2] = {{.then = reuse_other}};
	int ends[2][2];
	int silent[2];

	pipe_make(silent);
	for (int i = 0; i < 2; i++) {
		pipe_make(ends[i]);
		pipe_put(ends[i][1]);
		probes[i].fd = silent[0];
		probe_watch(loop, &probes[i], ends[i][0], LOOP_READ);
	}
	/* the lower descriptor comes first, and finds the new watch behind the other */
	probes[0].other = &probes[1];
	probes[1].other = &new;
	probe_turn(loop);
	assert_int_equal(probes[0].calls, 1);
	assert_int_equal(probes[1].calls, 0);
	assert_int_equal(new.calls, 0);
	probe_turn(loop);
	assert_int_equal(new.calls, 0);
	pipe_put(silent[1]);
	probe_turn(loop);
	assert_int_equal(new.calls, 1);
	loop_free(loop);
	pipe_close(ends[0]);
	pipe_close(ends[1]);
	pipe_close(silent);
}

static void restart_other(struct probe *self)
{
	if (self->calls > 1)
		return;
	loop_watch_stop(self->loop, &self->other->watch);
	probe_watch(self->loop, self->other, self->other->watch.fd, LOOP_READ);
}

/* The same watch stopped and started: the event is dropped and comes again. */
static void test_restarted(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe second = {0};
	struct probe first = {.then = restart_other, .other = &second};
	int ends[2];
	int first_ends[2];

	pipe_make(first_ends);
	pipe_make(ends);
	pipe_put(first_ends[1]);
	pipe_put(ends[1]);
	probe_watch(loop, &first, first_ends[0], LOOP_READ);
	probe_watch(loop, &second, ends[0], LOOP_READ);
	probe_turn(loop);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 0);
	probe_turn(loop);
	assert_int_equal(second.calls, 1);
	loop_free(loop);
	pipe_close(ends);
	pipe_close(first_ends);
}

static void start_other(struct probe *self)
{
	probe_watch(self->loop, self->other, self->fd, LOOP_READ);
}

/* Started from a callback: asked for from the next wait on. */
static void test_started_inside(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe second = {0};
	struct probe first = {.then = start_other, .other = &second};
	int ends[2];
	int second_ends[2];

	pipe_make(ends);
	pipe_make(second_ends);
	pipe_put(ends[1]);
	pipe_put(second_ends[1]);
	first.fd = second_ends[0];
	probe_watch(loop, &first, ends[0], LOOP_READ);
	probe_turn(loop);
	assert_int_equal(second.calls, 0);
	probe_turn(loop);
	assert_int_equal(second.calls, 1);
	loop_free(loop);
	pipe_close(ends);
	pipe_close(second_ends);
}

static void turn_other(struct probe *self)
{
	probe_watch(self->loop, self->other, self->other->watch.fd, LOOP_WRITE);
}

/* What is no longer watched is not reported, though it was fetched. */
static void test_changed_inside(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct probe second = {0};
	struct probe first = {.then = turn_other, .other = &second};
	int ends[2][2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]), 0);
		pipe_put(ends[i][1]);
	}
	probe_watch(loop, &first, ends[0][0], LOOP_READ);
	probe_watch(loop, &second, ends[1][0], LOOP_READ);
	probe_turn(loop);
	assert_int_equal(second.calls, 0);
	probe_turn(loop);
	assert_int_equal(second.calls, 1);
	assert_int_equal(second.events, LOOP_WRITE);
	loop_free(loop);
	pipe_close(ends[0]);
	pipe_close(ends[1]);
}

/* More ready than one batch holds: every one has its turn soon. */
static void test_many_ready(enum loop_kind kind)
{
	enum { COUNT = 600 };
	struct loop *loop = probe_loop(kind);
	struct probe *probes = calloc(COUNT, sizeof(*probes));
	int ends[2];
	int turns = 0;
	int silent;

	assert_non_null(probes);
	pipe_make(ends);
	pipe_put(ends[1]);
	for (int i = 0; i < COUNT; i++)
		probe_watch(loop, &probes[i], fcntl(ends[0], F_DUPFD_CLOEXEC, 3), LOOP_READ);
	do {
		probe_turn(loop);
		silent = 0;
		for (int i = 0; i < COUNT; i++)
			silent += probes[i].calls == 0;
	} while (silent > 0 && ++turns < 10);
	assert_int_equal(silent, 0);
	for (int i = 0; i < COUNT; i++) {
		loop_watch_stop(loop, &probes[i].watch);
		close(probes[i].watch.fd);
	}
	loop_free(loop);
	free(probes);
	pipe_close(ends);
}

/* `other` counts who has been called in this turn; now_ns, how often this one was the first. */
static void note_first(struct probe *self)
{
	self->now_ns += self->other->calls++ == 0;
}

/* Where several are always ready, each is the first as often as the others. */
static void test_in_turn(enum loop_kind kind)
{
	enum { COUNT = 5, ROUNDS = 4 };
	struct loop *loop = probe_loop(kind);
	struct probe order = {0};
	struct probe probes[COUNT];
	int ends[2];

	pipe_make(ends);
	pipe_put(ends[1]);
	for (int i = 0; i < COUNT; i++) {
		probes[i] = (struct probe){.other = &order, .then = note_first};
		probe_watch(loop, &probes[i], fcntl(ends[0], F_DUPFD_CLOEXEC, 3), LOOP_READ);
	}
	for (int turn = 0; turn < COUNT * ROUNDS; turn++) {
		order.calls = 0;
		probe_turn(loop);
		assert_int_equal(order.calls, COUNT);
	}
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(probes[i].now_ns, ROUNDS);
		loop_watch_stop(loop, &probes[i].watch);
		close(probes[i].watch.fd);
	}
	loop_free(loop);
	pipe_close(ends);
}

static void no_call(struct loop_watch *watch, unsigned events)
{
	(void)watch;
	(void)events;
}

/* Runs in a child: two watches on one descriptor must not pass. */
static void watch_twice(enum loop_kind kind)
{
	const struct rlimit none = {0};
	struct loop *loop;
	struct loop_watch first = {.fd = 0, .ready_cb = no_call};
	struct loop_watch second = {.fd = 0, .ready_cb = no_call};
	int ends[2];

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGABRT, SIG_DFL);
	if (pipe(ends) == -1 || loop_new(kind, &loop, NULL) == -1)
		_exit(1);
	close(STDERR_FILENO);
	first.fd = second.fd = ends[0];
	if (loop_watch_start(loop, &first, LOOP_READ, NULL) == -1)
		_exit(2);
	loop_watch_start(loop, &second, LOOP_READ, NULL);
	_exit(0);
}

static void test_watched_twice(enum loop_kind kind)
{
	pid_t pid = fork();
	int status;

	assert_int_not_equal(pid, -1);
	if (pid == 0)
		watch_twice(kind);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static const struct loop_case cases[] = {
	{"ready", test_ready},
	{"change", test_change},
	{"hang_up", test_hang_up},
	{"stop_other", test_stop_other},
	{"free_other", test_free_other},
	{"reused_number", test_reused_number},
	{"restarted", test_restarted},
	{"started_inside", test_started_inside},
	{"changed_inside", test_changed_inside},
	{"many_ready", test_many_ready},
	{"in_turn", test_in_turn},
	{"watched_twice", test_watched_twice},
};

int main(void)
{
	alarm(60); /* against hanging */
	return probe_run_both(cases, sizeof(cases) / sizeof(cases[0]));
}
