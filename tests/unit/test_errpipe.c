/*
 * test_errpipe: every line of a program's standard error is passed on or counted, and what is
 * counted is told soon, once, whether another line comes or not.
 */
#include "config.h"
#include "superd/errpipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>
#include "superd/clock.h"
#include "tests/unit/loop_probe.h"

#define BUDGET 20u

/* What came out of an errpipe. */
struct heard {
	unsigned lines;
	unsigned counts; /* without a line */
	uint64_t dropped;
};

struct stage {
	struct loop *loop;
	struct errpipe *errpipe;
	struct heard heard;
	int write_fd;
};

static void hear(void *owner, const char *text, size_t length, uint64_t dropped)
{
	struct heard *heard = owner;

	if (text != NULL) {
		heard->lines++;
	} else {
		assert_int_equal(length, 0);
		assert_true(dropped > 0);
		heard->counts++;
	}
	heard->dropped += dropped;
}

static void assert_heard(
	const struct stage *stage, unsigned lines, unsigned counts, uint64_t dropped)
{
	assert_int_equal(stage->heard.lines, lines);
	assert_int_equal(stage->heard.counts, counts);
	assert_int_equal(stage->heard.dropped, dropped);
}

static void stage_open(struct stage *stage, enum loop_kind kind)
{
	struct error error;

	*stage = (struct stage){.loop = probe_loop(kind)};
	stage->errpipe = errpipe_new(stage->loop, hear, &stage->heard);
	assert_non_null(stage->errpipe);
	stage->write_fd = errpipe_use(stage->errpipe, &error);
	assert_true(stage->write_fd >= 0);
}

static void stage_close(struct stage *stage)
{
	errpipe_free(stage->errpipe);
	loop_free(stage->loop);
}

/* A program writes so many lines, and a bit more where rest says so. */
static void stage_write(const struct stage *stage, unsigned lines, const char *rest)
{
	for (unsigned i = 0; i < lines; i++)
		assert_int_equal(dprintf(stage->write_fd, "line %u\n", i), i < 10 ? 7 : 8);
	assert_true(dprintf(stage->write_fd, "%s", rest) >= 0);
}

struct alarm {
	struct loop_timer timer; /* first */
	bool fired;
};

static void alarm_fire(struct loop_timer *timer)
{
	((struct alarm *)timer)->fired = true;
}

/* How many turns the loop makes until an alarm some time after the second. */
static unsigned turns_beyond_the_second(struct loop *loop)
{
	struct alarm alarm = {.timer.fire_cb = alarm_fire};
	unsigned turns = 0;

	assert_int_equal(loop_timer_start(loop, &alarm.timer,
				 clock_now_ns() + CLOCK_NS_PER_S + 100 * CLOCK_NS_PER_MS),
		0);
	for (; !alarm.fired; turns++)
		probe_turn(loop);
	return turns;
}

/* As many as a second takes: nothing is counted, and nothing wakes the loop. */
static void run_within_the_budget(enum loop_kind kind)
{
	struct stage stage;

	stage_open(&stage, kind);
	stage_write(&stage, BUDGET, "");
	probe_turn(stage.loop);
	assert_heard(&stage, BUDGET, 0, 0);
	assert_int_equal(turns_beyond_the_second(stage.loop), 1);
	stage_close(&stage);
	assert_heard(&stage, BUDGET, 0, 0);
}

/* More, and no line after them: counted at the end of the second, once, by one wakeup. */
static void run_tail(enum loop_kind kind)
{
	struct stage stage;

	stage_open(&stage, kind);
	stage_write(&stage, BUDGET + 3, "");
	probe_turn(stage.loop);
	stage_write(&stage, 7, "");
	probe_turn(stage.loop);
	assert_heard(&stage, BUDGET, 0, 0);
	assert_int_equal(turns_beyond_the_second(stage.loop), 2);
	assert_heard(&stage, BUDGET, 1, 10);
	stage_write(&stage, BUDGET, "");
	probe_turn(stage.loop);
	assert_heard(&stage, 2 * BUDGET, 1, 10);
	stage_write(&stage, 5, ""); /* the next second has a count of its own */
	probe_turn(stage.loop);
	assert_int_equal(turns_beyond_the_second(stage.loop), 2);
	assert_heard(&stage, 2 * BUDGET, 2, 15);
	stage_close(&stage);
	assert_heard(&stage, 2 * BUDGET, 2, 15);
}

/* The end does not wait for the second, and counts what is still in the pipe. */
static void run_end(enum loop_kind kind)
{
	struct stage stage;

	stage_open(&stage, kind);
	stage_write(&stage, BUDGET + 10, "");
	probe_turn(stage.loop);
	assert_heard(&stage, BUDGET, 0, 0);
	stage_write(&stage, 4, "and a piece");
	stage_close(&stage);
	assert_heard(&stage, BUDGET, 1, 15);
}

/* The last program has ended, the pipe goes: no count is told twice. */
static void run_idle(enum loop_kind kind)
{
	struct stage stage;

	stage_open(&stage, kind);
	stage_write(&stage, BUDGET + 10, "");
	errpipe_idle(stage.errpipe);
	probe_turn(stage.loop);
	turns_beyond_the_second(stage.loop);
	assert_heard(&stage, BUDGET, 1, 10);
	assert_int_equal(turns_beyond_the_second(stage.loop), 1);
	stage_close(&stage);
	assert_heard(&stage, BUDGET, 1, 10);
}

/* Another superd's pipe, with what that one has counted. */
static void stage_take(struct stage *stage, enum loop_kind kind, uint64_t dropped, unsigned lines)
{
	struct errpipe_snapshot snapshot = {.dropped = (int64_t)dropped};
	struct error error;
	int ends[2];

	pipe_make(ends);
	*stage = (struct stage){.loop = probe_loop(kind), .write_fd = ends[1]};
	stage->errpipe = errpipe_new(stage->loop, hear, &stage->heard);
	assert_non_null(stage->errpipe);
	snapshot.read_fd = ends[0];
	snapshot.write_fd = ends[1];
	stage_write(stage, lines, "");
	assert_int_equal(errpipe_import(stage->errpipe, &snapshot, &error), 0);
}

/* A count that was handed over is told at once: with a line where one is there, or alone. */
static void run_import(enum loop_kind kind)
{
	static const struct {
		uint64_t dropped;
		unsigned lines;
		unsigned counts;
	} cases[] = {{7, 0, 1}, {7, 2, 0}, {0, 2, 0}};
	struct stage stage;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		stage_take(&stage, kind, cases[i].dropped, cases[i].lines);
		assert_heard(&stage, 0, 0, 0);
		probe_turn_at_once(stage.loop);
		assert_heard(&stage, cases[i].lines, cases[i].counts, cases[i].dropped);
		assert_int_equal(turns_beyond_the_second(stage.loop), 1);
		stage_close(&stage);
		assert_heard(&stage, cases[i].lines, cases[i].counts, cases[i].dropped);
	}
}

/* What is handed over is counted by one of the two only. */
static void run_export(enum loop_kind kind)
{
	struct errpipe_snapshot snapshot;
	struct stage stage;

	stage_open(&stage, kind);
	stage_write(&stage, BUDGET + 10, "half");
	probe_turn(stage.loop);
	errpipe_export(stage.errpipe, &snapshot);
	assert_int_equal(snapshot.dropped, 10);
	assert_int_equal(snapshot.used, 4);
	turns_beyond_the_second(stage.loop);
	assert_heard(&stage, BUDGET, 1, 10);
	errpipe_export(stage.errpipe, &snapshot);
	assert_int_equal(snapshot.dropped, 0);
	stage_close(&stage);
	assert_heard(&stage, BUDGET + 1, 1, 10);
}

int main(void)
{
	static const struct loop_case cases[] = {
		{"within the budget", run_within_the_budget},
		{"tail", run_tail},
		{"end", run_end},
		{"idle", run_idle},
		{"import", run_import},
		{"export", run_export},
	};

	return probe_run_both(cases, sizeof(cases) / sizeof(cases[0]));
}
