/*
 * test_reload_tell: what the log says of reloads that come fast: the first of each kind at once,
 * every one of them in the end, and not more than a line a second.
 */
#include "config.h"
#include "superd/reload_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "superd/clock.h"
#include "tests/unit/log_lines.h"
#include "tests/unit/loop_probe.h"

struct stage {
	struct place place;
	struct service_context context;
	struct reload *reload;
	char text[8192]; /* the whole log */
};

static void stage_open(struct stage *stage)
{
	struct error error;

	*stage = (struct stage){.context.loop = probe_loop(LOOP_SELECT)};
	place_make(&stage->place);
	assert_int_equal(
		report_new(stage->context.loop, sink_open_file(stage->place.path, LOG_TEXT),
			LEVEL_DEBUG, -1, &stage->context.report, &error),
		0);
	assert_int_equal(reload_new(&(struct reload_host){.context = &stage->context}, NULL,
				 &stage->reload, &error),
		0);
}

static void stage_close(struct stage *stage)
{
	reload_free(stage->reload);
	report_free(stage->context.report);
	loop_free(stage->context.loop);
	place_remove(&stage->place);
}

/* A reload ends: done, or failed because of so many problems. */
static void stage_end(struct stage *stage, bool done, unsigned problems)
{
	struct reload_lines lines = {0};
	char text[32];

	probe_turn_at_once(stage->context.loop); /* a moment after the last one */
	if (done)
		stage->reload->facts.generation++;
	else
		reload_lines_add(&lines, CONF_WARNING, "a warning", SIZE_MAX);
	for (unsigned i = 1; i <= problems; i++) {
		snprintf(text, sizeof(text), "problem %u", i);
		reload_lines_add(&lines, CONF_PROBLEM, text, SIZE_MAX);
	}
	reload_tell(stage->reload, done, &lines);
	assert_null(lines.lines);
}

/* The log, without the time in front and what a reload says of itself but its number and count. */
static const char *stage_log(struct stage *stage)
{
	FILE *file;
	char line[512];
	char *end = stage->text;

	log_flush();
	file = fopen(stage->place.path, "r");
	assert_non_null(file);
	*end = '\0';
	while (fgets(line, sizeof(line), file) != NULL) {
		char *begin = strstr(line, "event=");
		char *facts = strstr(line, " added=");
		char *count = strstr(line, " count=");

		assert_non_null(begin);
		if (facts != NULL)
			strcpy(facts, count != NULL ? count : "\n");
		end = stpcpy(end, begin);
	}
	fclose(file);
	return stage->text;
}

/* Until nothing is to be told any more. */
static void stage_wait(struct stage *stage)
{
	while (stage->reload->story_timer.slot != 0)
		probe_turn(stage->context.loop);
}

#define WARNING "event=warning step=reload warning=\"a warning\"\n"
#define PROBLEM(n, count) "event=error step=reload error=\"problem " n "\"" count "\n"
#define RELOAD(n) "event=reload generation=" n "\n"

/* A failure is told at once though a success has just been, and the other way round. */
static void test_first_of_each_kind(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage_end(&stage, true, 0);
	stage_end(&stage, true, 0);
	stage_end(&stage, false, 1);
	assert_string_equal(stage_log(&stage), RELOAD("1") WARNING PROBLEM("1", ""));
	stage_wait(&stage);
	assert_string_equal(stage_log(&stage), RELOAD("1") WARNING PROBLEM("1", "") RELOAD("2"));
	stage_close(&stage);
	stage_open(&stage);
	stage_end(&stage, false, 1);
	stage_end(&stage, false, 1);
	stage_end(&stage, true, 0);
	assert_string_equal(stage_log(&stage), WARNING PROBLEM("1", "") RELOAD("1"));
	stage_close(&stage);
}

/* The last one of a second is told, with how many there were: each kind its own. */
static void test_counts(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	for (int i = 0; i < 3; i++)
		stage_end(&stage, true, 0);
	for (int i = 0; i < 4; i++)
		stage_end(&stage, false, i == 3 ? 2 : 1);
	assert_string_equal(stage_log(&stage), RELOAD("1") WARNING PROBLEM("1", ""));
	stage_wait(&stage);
	assert_string_equal(stage_log(&stage),
		RELOAD("1") WARNING PROBLEM("1", "") RELOAD("3 count=2")
			WARNING PROBLEM("1", " count=3") PROBLEM("2", ""));
	stage_close(&stage);
}

/* Each kind has its own second: the later one is not told with the earlier one. */
static void test_seconds_of_their_own(void **state)
{
	struct stage stage;
	int64_t told_ns;

	(void)state;
	stage_open(&stage);
	stage_end(&stage, true, 0);
	stage_end(&stage, true, 0);
	stage.reload->stories[1].told_ns -= CLOCK_NS_PER_S / 2; /* as if it had been earlier */
	stage.reload->story_timer.due_ns -= CLOCK_NS_PER_S / 2;
	assert_int_equal(loop_timer_start(stage.context.loop, &stage.reload->story_timer,
				 stage.reload->story_timer.due_ns),
		0);
	stage_end(&stage, false, 1);
	stage_end(&stage, false, 1);
	told_ns = stage.reload->stories[0].told_ns;
	while (stage.reload->stories[1].count > 0)
		probe_turn(stage.context.loop);
	assert_string_equal(stage_log(&stage), RELOAD("1") WARNING PROBLEM("1", "") RELOAD("2"));
	stage_wait(&stage);
	assert_true(loop_now_ns(stage.context.loop) - told_ns >= CLOCK_NS_PER_S);
	assert_string_equal(stage_log(&stage),
		RELOAD("1") WARNING PROBLEM("1", "") RELOAD("2") WARNING PROBLEM("1", ""));
	stage_close(&stage);
}

/* More problems than are told: the count stands in the first of them. */
static void test_many_problems(void **state)
{
	struct stage stage;
	const char *log;

	(void)state;
	stage_open(&stage);
	for (int i = 0; i < 3; i++)
		stage_end(&stage, false, i == 0 ? 1 : 30);
	stage_wait(&stage);
	log = stage_log(&stage);
	assert_non_null(strstr(log, PROBLEM("1", " count=2") PROBLEM("2", "")));
	assert_non_null(strstr(log, "event=warning step=reload warning=\"and 21 more\"\n"));
	assert_null(strstr(strstr(log, "count=") + 1, "count="));
	stage_close(&stage);
}

/* Nothing is left untold at the end, and nothing is told twice. */
static void test_end(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	for (int i = 0; i < 3; i++) {
		stage_end(&stage, false, 1);
		stage_end(&stage, true, 0);
	}
	reload_flush(stage.reload);
	assert_int_equal(stage.reload->story_timer.slot, 0);
	assert_string_equal(stage_log(&stage), WARNING PROBLEM("1", "") RELOAD("1") WARNING PROBLEM(
						       "1", " count=2") RELOAD("3 count=2"));
	stage_end(&stage, false, 1);
	reload_free(stage.reload);
	stage.reload = NULL;
	assert_string_equal(stage_log(&stage),
		WARNING PROBLEM("1", "") RELOAD("1") WARNING PROBLEM("1", " count=2")
			RELOAD("3 count=2") WARNING PROBLEM("1", ""));
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_of_each_kind),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_seconds_of_their_own),
		cmocka_unit_test(test_many_problems),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
