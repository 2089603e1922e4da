/*
 * test_notify: what the service manager is sent, when, and what it has to do for it: nothing.
 */
#include "config.h"
#include "superd/notify.h"

#include "superd/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define NAME "@superd-test-notify"
#define DEADLINE_NS (20 * CLOCK_NS_PER_S)

/* The manager's end, and what superd would say. */
struct stage {
	int manager;
	struct loop *loop;
	struct notify notify;
	char status[64];
	unsigned asked; /* how often for the status */
	char message[1024];
};

static void tell_status(void *owner, char *text, size_t size)
{
	struct stage *stage = owner;

	stage->asked++;
	snprintf(text, size, "%s", stage->status);
}

static void end_turn(void *owner)
{
	notify_turn(&((struct stage *)owner)->notify);
}

static void stage_begin(struct stage *stage, const char *watchdog_us, const char *watchdog_pid)
{
	struct error error = {0};
	struct addr addr;

	*stage = (struct stage){.status = "idle"};
	assert_int_equal(addr_set_unix(NAME, &addr), 0);
	stage->manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(stage->manager, &addr.u.any, addr.length), 0);
	setenv("NOTIFY_SOCKET", NAME, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (watchdog_us != NULL)
		setenv("WATCHDOG_USEC", watchdog_us, 1);
	if (watchdog_pid != NULL)
		setenv("WATCHDOG_PID", watchdog_pid, 1);
	assert_int_equal(loop_new(LOOP_EPOLL, &stage->loop, &error), 0);
	assert_int_equal(notify_init(&stage->notify, stage->loop, tell_status, stage, &error), 0);
	loop_set_turn_cb(stage->loop, end_turn, stage);
}

static void stage_end(struct stage *stage)
{
	notify_end(&stage->notify);
	loop_free(stage->loop);
	close(stage->manager);
}

/* The next message; "" where there is none. */
static const char *next_message(struct stage *stage)
{
	ssize_t got =
		recv(stage->manager, stage->message, sizeof(stage->message) - 1, MSG_DONTWAIT);

	stage->message[got > 0 ? got : 0] = '\0';
	return stage->message;
}

/* Turns until a message is there. */
static const char *await_message(struct stage *stage)
{
	int64_t deadline_ns = clock_now_ns() + DEADLINE_NS;
	struct error error;

	while (next_message(stage)[0] == '\0') {
		assert_true(clock_now_ns() < deadline_ns);
		assert_int_equal(loop_turn(stage->loop, &error), 0);
	}
	return stage->message;
}

static void test_states(void **state)
{
	struct stage stage;
	char wanted[128];
	long long us;
	int used = 0;

	(void)state;
	stage_begin(&stage, NULL, NULL);
	snprintf(wanted, sizeof(wanted), "READY=1\nMAINPID=%d\nSTATUS=idle", (int)getpid());
	notify_ready(&stage.notify);
	assert_string_equal(next_message(&stage), wanted);
	notify_reloading(&stage.notify);
	next_message(&stage);
	assert_int_equal(
		sscanf(stage.message, "RELOADING=1\nMONOTONIC_USEC=%lld%n", &us, &used), 1);
	assert_int_equal(strlen(stage.message), used);
	assert_true(us <= clock_now_ns() / 1000 && us > clock_now_ns() / 1000 - 60000000);
	notify_ready(&stage.notify);
	assert_string_equal(next_message(&stage), wanted);
	notify_stopping(&stage.notify, 7 * CLOCK_NS_PER_S);
	assert_string_equal(
		next_message(&stage), "STOPPING=1\nEXTEND_TIMEOUT_USEC=7000000\nSTATUS=idle");
	assert_string_equal(next_message(&stage), "");
	stage_end(&stage);
}

/* Only when it has changed, and after the last change too. */
static void test_status(void **state)
{
	struct stage stage;
	unsigned asked;

	(void)state;
	stage_begin(&stage, NULL, NULL);
	notify_turn(&stage.notify); /* before the start nobody wants to know */
	assert_int_equal(stage.notify.status_timer.slot, 0);
	notify_ready(&stage.notify);
	next_message(&stage);
	asked = stage.asked;
	for (int i = 0; i < 1000; i++) {
		snprintf(stage.status, sizeof(stage.status), "%d programs", i);
		notify_turn(&stage.notify);
	}
	assert_int_equal(stage.asked, asked); /* not before its time */
	assert_string_equal(await_message(&stage), "STATUS=999 programs");
	assert_int_equal(stage.asked, asked + 1);
	assert_int_equal(stage.notify.status_timer.slot, 0); /* and now it sleeps */
	notify_turn(&stage.notify);
	stage.notify.status_due = true; /* the next look, without a change */
	notify_turn(&stage.notify);
	assert_string_equal(next_message(&stage), "");
	stage_end(&stage);
}

static void test_watchdog(void **state)
{
	static const struct {
		const char *us;
		const char *pid; /* "own": this process's */
		int64_t half_ns;
	} rows[] = {
		{"20000", NULL, 10000000},
		{"20000", "own", 10000000},
		{"20000", "1", 0},
		{"20000", "", 0},
		{NULL, NULL, 0},
		{"", NULL, 0},
		{"0", NULL, 0},
		{"-5", NULL, 0},
		{"5x", NULL, 0},
		{"99999999999999999999", NULL, 0},
		{"9223372036854775807", NULL, 0},
	};
	struct stage stage;
	char own[16];

	(void)state;
	snprintf(own, sizeof(own), "%d", (int)getpid());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *pid = rows[i].pid;

		stage_begin(&stage, rows[i].us, pid != NULL && strcmp(pid, "own") == 0 ? own : pid);
		assert_int_equal(stage.notify.watchdog_ns, rows[i].half_ns);
		notify_ready(&stage.notify);
		assert_memory_equal(next_message(&stage), "READY=1", 7);
		for (int turn = 0; rows[i].half_ns > 0 && turn < 3; turn++)
			assert_string_equal(await_message(&stage), "WATCHDOG=1");
		if (rows[i].half_ns == 0)
			assert_string_equal(next_message(&stage), "");
		stage_end(&stage);
	}
}

/* A manager that takes nothing: what counts is kept, in order, and told when it takes again. */
static void test_full(void **state)
{
	struct stage stage;
	struct addr addr;
	int filler = socket(AF_UNIX, SOCK_DGRAM, 0);
	unsigned filled = 0;

	(void)state;
	stage_begin(&stage, "1000", NULL);
	assert_int_equal(addr_set_unix(NAME, &addr), 0);
	while (sendto(filler, "x", 1, MSG_DONTWAIT, &addr.u.any, addr.length) == 1)
		filled++;
	assert_int_equal(errno, EAGAIN);
	notify_ready(&stage.notify);
	notify_reloading(&stage.notify);
	notify_ready(&stage.notify);
	notify_reloading(&stage.notify);
	assert_int_equal(stage.notify.queued, 4);
	notify_stopping(&stage.notify, 0); /* the oldest one goes */
	assert_int_equal(stage.notify.queued, 4);
	for (; filled > 0; filled--)
		assert_string_equal(next_message(&stage), "x");
	for (const char *const *begin = (const char *const[]){"RELOADING=1", "READY=1",
		     "RELOADING=1", "STOPPING=1", NULL};
		*begin != NULL; begin++) {
		while (memcmp(await_message(&stage), "WATCHDOG", 8) == 0)
			; /* of it there are plenty */
		assert_memory_equal(stage.message, *begin, strlen(*begin));
	}
	stage_end(&stage);
	close(filler);
}

static void test_nobody(void **state)
{
	static const struct {
		const char *name;
		int result;
	} rows[] = {
		{NULL, 0},
		{"", 0},
		{"relative", -1},
		{"@", -1},
		{"vsock:2:1234", -1},
		{"/a/path/that/is/longer/than/the/hundred/and/seven/bytes/that/fit/into/the/name/"
		 "of/a/unix/socket/as/linux/has/it",
			-1},
		{"/nonexistent/socket", 0},
	};
	struct notify notify;
	struct error error;
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_new(LOOP_SELECT, &loop, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stage stage = {0};

		unsetenv("NOTIFY_SOCKET");
		if (rows[i].name != NULL)
			setenv("NOTIFY_SOCKET", rows[i].name, 1);
		assert_int_equal(
			notify_init(&notify, loop, tell_status, &stage, &error), rows[i].result);
		notify_ready(&notify);
		notify_reloading(&notify);
		notify_turn(&notify);
		notify_stopping(&notify, 0);
		assert_int_equal(notify.queued, 0);
		notify_end(&notify);
		notify_end(&notify);
	}
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_watchdog),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
