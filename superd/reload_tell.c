/*
 * reload_tell: what the log says of reloads. Each is told at once, unless one that ended alike was
 * told less than a second ago: then the last of them is, with how many there were. Those that
 * failed and those that were done are two stories, each with a second of its own.
 */
#include "config.h"
#include "superd/reload_private.h"

#include "superd/clock.h"

#include <stdio.h>

#define STORY_NS CLOCK_NS_PER_S
#define PROBLEMS_TOLD 10

static struct report *story_report(const struct reload *reload)
{
	return reload->host.context->report;
}

/* count stands in the line of the first problem. */
static void story_tell_lines(
	const struct reload *reload, const struct reload_story *story, uint64_t count)
{
	const struct reload_lines *lines = &story->lines;
	size_t told = lines->count < PROBLEMS_TOLD ? lines->count : PROBLEMS_TOLD;
	size_t more = lines->count - told + lines->lost;
	char text[64];

	for (size_t i = 0; i < told; i++) {
		bool fails = lines->severities[i] == CONF_PROBLEM;

		report_problem_count(story_report(reload), fails ? LEVEL_ERROR : LEVEL_WARNING,
			"reload", lines->lines[i], fails ? count : 1);
		if (fails)
			count = 1;
	}
	if (more > 0) {
		snprintf(text, sizeof(text), "and %zu more", more);
		report_problem_count(story_report(reload), LEVEL_WARNING, "reload", text, count);
	}
}

static void story_tell(struct reload *reload, struct reload_story *story)
{
	bool done = story == &reload->stories[1];

	if (story->count == 0)
		return;
	story_tell_lines(reload, story, done ? 1 : story->count);
	if (done) {
		story->facts.count = story->count;
		report_reload(story_report(reload), &story->facts);
	}
	reload_lines_clear(&story->lines);
	story->count = 0;
	story->told_ns = loop_now_ns(reload->loop);
}

static bool story_is_due(const struct reload *reload, const struct reload_story *story)
{
	return story->told_ns == 0 || loop_now_ns(reload->loop) - story->told_ns >= STORY_NS;
}

/* Tells it now, or when its second is over. */
static void story_tell_due(struct reload *reload, struct reload_story *story)
{
	struct loop_timer *timer = &reload->story_timer;
	int64_t due_ns = story->told_ns + STORY_NS;

	if (story->count == 0)
		return;
	if (!story_is_due(reload, story) &&
		((timer->slot != 0 && timer->due_ns <= due_ns) ||
			loop_timer_start(reload->loop, timer, due_ns) == 0))
		return;
	story_tell(reload, story);
}

/* The one that ended earlier goes first. */
static void stories_each(
	struct reload *reload, void (*tell_cb)(struct reload *reload, struct reload_story *story))
{
	bool first = reload->stories[0].last_ns > reload->stories[1].last_ns;

	tell_cb(reload, &reload->stories[first]);
	tell_cb(reload, &reload->stories[!first]);
}

void reload_story_timer(struct loop_timer *timer)
{
	stories_each(RELOAD_OF(timer, story_timer), story_tell_due);
}

void reload_tell(struct reload *reload, bool done, struct reload_lines *lines)
{
	struct reload_story *story = &reload->stories[done];

	reload_lines_clear(&story->lines);
	story->lines = *lines;
	*lines = (struct reload_lines){0};
	story->facts = reload->facts;
	story->last_ns = loop_now_ns(reload->loop);
	story->count++;
	story_tell_due(reload, story);
}

void reload_flush(struct reload *reload)
{
	loop_timer_stop(reload->loop, &reload->story_timer);
	stories_each(reload, story_tell);
}
