/*
 * test_loop_time: timers, signals and the turn, over both back ends.
 */
#include "config.h"
#include "superd/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>
#include "superd/clock.h"
#include "tests/unit/loop_probe.h"

#define MS CLOCK_NS_PER_MS

static void on_alarm(int signal)
{
	(void)signal;
}

/* A handler's signal ends the wait, not the loop. */
static void test_interrupted(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct loop_timer timer = {.fire_cb = probe_no_fire};
	const struct itimerval often = {
		.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 1}};
	const struct itimerval never = {0};
	struct sigaction action = {.sa_handler = on_alarm};
	struct sigaction old;
	int64_t due_ns = clock_now_ns() + 60 * CLOCK_NS_PER_S;

	assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
	assert_int_equal(loop_timer_start(loop, &timer, due_ns), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int i = 0; i < 5; i++)
		probe_turn(loop); /* returns: EINTR is no error */
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_true(clock_now_ns() < due_ns);
	assert_int_not_equal(timer.slot, 0);
	assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
	loop_free(loop);
}

/* --- timers --- */

struct alarm {
	struct loop_timer timer; /* first */
	struct loop *loop;
	int64_t fired_ns; /* when */
	unsigned fired;   /* how often */
	unsigned order;
	unsigned *next_order;
};

static void on_fire(struct loop_timer *timer)
{
	struct alarm *alarm = (struct alarm *)timer;

	alarm->fired_ns = clock_now_ns();
	alarm->fired++;
	alarm->order = (*alarm->next_order)++;
}

static void test_timers(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	unsigned next = 0;
	int64_t now_ns = clock_now_ns();
	const int64_t after[] = {7 * MS, 1, 3 * MS + 1, -5 * MS, 1 * MS, -9 * MS};
	const unsigned order[] = {5, 2, 4, 1, 3, 0};
	struct alarm alarms[6];
	int turns = 0;

	for (int i = 0; i < 6; i++) {
		alarms[i] = (struct alarm){.timer = {.fire_cb = on_fire}, .next_order = &next};
		assert_int_equal(loop_timer_start(loop, &alarms[i].timer, now_ns + after[i]), 0);
	}
	while (next < 6) {
		probe_turn(loop);
		turns++;
	}
	for (int i = 0; i < 6; i++) {
		assert_int_equal(alarms[i].fired, 1);
		assert_int_equal(alarms[i].order, order[i]);
		assert_true(alarms[i].fired_ns >= now_ns + after[i]);
		assert_int_equal(alarms[i].timer.slot, 0);
	}
	assert_true(turns <= 2 * 6); /* the timeout is no shorter than the time: no spinning */
	loop_free(loop);
}

/* Overdue from a callback: once a turn, and descriptors go on. */
static void test_timer_overdue(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct again alarm = {.timer = {.fire_cb = probe_fire_again}, .loop = loop};
	struct probe in = {0};
	int ends[2];

	pipe_make(ends);
	pipe_put(ends[1]);
	probe_watch(loop, &in, ends[0], LOOP_READ);
	assert_int_equal(loop_timer_start(loop, &alarm.timer, 0), 0);
	for (unsigned i = 1; i <= 5; i++) {
		probe_turn(loop);
		assert_int_equal(alarm.fired, i);
		assert_int_equal(in.calls, i);
	}
	loop_timer_stop(loop, &alarm.timer);
	loop_timer_stop(loop, &alarm.timer);
	probe_turn(loop);
	assert_int_equal(alarm.fired, 5);
	loop_free(loop);
	pipe_close(ends);
}

struct ending {
	struct loop *loop;
	struct probe *probe;
	int64_t now_ns;
	unsigned turns;
	unsigned calls_seen;
};

static void on_turn(void *owner)
{
	struct ending *ending = owner;

	ending->turns++;
	ending->calls_seen = ending->probe->calls;
	ending->now_ns = loop_now_ns(ending->loop);
}

static void keep_now(struct probe *self)
{
	self->now_ns = loop_now_ns(self->loop);
}

static void test_turn_end(enum loop_kind kind)
{
	int64_t before_ns = clock_now_ns();
	struct loop *loop = probe_loop(kind);
	struct probe in = {.then = keep_now};
	struct ending ending = {.loop = loop, .probe = &in};
	int ends[2];

	assert_true(loop_now_ns(loop) >= before_ns);
	pipe_make(ends);
	pipe_put(ends[1]);
	probe_watch(loop, &in, ends[0], LOOP_READ);
	loop_set_turn_cb(loop, on_turn, &ending);
	for (unsigned i = 1; i <= 3; i++) {
		before_ns = clock_now_ns();
		probe_turn(loop);
		assert_int_equal(ending.turns, i);
		assert_int_equal(ending.calls_seen, i);
		assert_true(ending.now_ns >= before_ns);
		assert_int_equal(ending.now_ns, in.now_ns); /* one time for the whole turn */
	}
	loop_free(loop);
	pipe_close(ends);
}

/* --- signals --- */

struct heard {
	unsigned count[NSIG];
	pid_t sender;
};

static void on_signal(void *owner, int signal, pid_t sender)
{
	struct heard *heard = owner;

	heard->count[signal]++;
	heard->sender = sender;
}

static bool in_table(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

static void test_signals(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct heard heard = {0};
	struct error error;
	sigset_t set;
	sigset_t old;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &old), 0);
	assert_int_equal(loop_signals_start(loop, &set, on_signal, &heard, &error), 0);
	probe_turn_at_once(loop);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	probe_turn(loop);
	assert_int_equal(heard.count[SIGUSR1], 1); /* merged */
	assert_int_equal(heard.count[SIGUSR2], 1);
	assert_int_equal(heard.sender, getpid());
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	probe_turn(loop);
	assert_int_equal(heard.count[SIGUSR1], 2);
	loop_free(loop);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

/* More pending than one read takes: the rest comes in the next turns. */
static void test_many_signals(enum loop_kind kind)
{
	struct loop *loop = probe_loop(kind);
	struct heard heard = {0};
	const union sigval value = {0};
	struct error error;
	sigset_t set;
	sigset_t old;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &old), 0);
	assert_int_equal(loop_signals_start(loop, &set, on_signal, &heard, &error), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(sigqueue(getpid(), SIGRTMIN, value), 0);
	for (int i = 0; i < 100 && heard.count[SIGRTMIN] < 100; i++)
		probe_turn(loop);
	assert_int_equal(heard.count[SIGRTMIN], 100);
	loop_free(loop);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

/* What the loop opens lies at 256 and above, close-on-exec, and goes with it. */
static void test_descriptors(enum loop_kind kind)
{
	bool before[FD_SETSIZE];
	struct heard heard = {0};
	struct loop *loop;
	sigset_t set;
	sigset_t old;
	int opened = 0;

	for (int fd = 0; fd < FD_SETSIZE; fd++)
		before[fd] = in_table(fd);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &old), 0);
	loop = probe_loop(kind);
	assert_int_equal(loop_signals_start(loop, &set, on_signal, &heard, NULL), 0);
	for (int fd = 0; fd < FD_SETSIZE; fd++) {
		if (before[fd] || !in_table(fd))
			continue;
		opened++;
		assert_true(fd >= 256);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	assert_int_equal(opened, kind == LOOP_EPOLL ? 2 : 1);
	loop_free(loop);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	for (int fd = 0; fd < FD_SETSIZE; fd++)
		assert_true(before[fd] == in_table(fd));
}

static const struct loop_case cases[] = {
	{"interrupted", test_interrupted},
	{"timers", test_timers},
	{"timer_overdue", test_timer_overdue},
	{"turn_end", test_turn_end},
	{"signals", test_signals},
	{"many_signals", test_many_signals},
	{"descriptors", test_descriptors},
};

int main(void)
{
	alarm(60); /* against hanging */
	return probe_run_both(cases, sizeof(cases) / sizeof(cases[0]));
}
