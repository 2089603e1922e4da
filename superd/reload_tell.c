/*
 * reload_tell: what the log says of reloads. Each is told at once, unless one that ended alike was
 * told less than a second ago: then the last of them is, with how many there were.
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

static void story_tell_lines(const struct reload *reload, const struct reload_story *story)
{
	const struct reload_lines *lines = &story->lines;
	size_t told = lines->count < PROBLEMS_TOLD ? lines->count : PROBLEMS_TOLD;
	size_t more = lines->count - told + lines->lost;
	char text[64];

	for (size_t i = 0; i < told; i++) {
		report_problem(story_report(reload),
			lines->severities[i] == CONF_PROBLEM ? LEVEL_ERROR : LEVEL_WARNING,
			"reload", lines->lines[i]);
	}
	if (more > 0) {
		snprintf(text, sizeof(text), "and %zu more", more);
		report_problem(story_report(reload), LEVEL_WARNING, "reload", text);
	}
}

static void story_tell(struct reload *reload, struct reload_story *story)
{
	if (story->count == 0)
		return;
	story_tell_lines(reload, story);
	if (story == &reload->stories[1]) {
		story->facts.count = story->count;
		report_reload(story_report(reload), &story->facts);
	}
	reload_lines_clear(&story->lines);
	story->count = 0;
	story->told_ns = loop_now_ns(reload->loop);
}

/* The one that ended earlier goes first. */
static struct reload_story *story_first(struct reload *reload)
{
	return &reload->stories[reload->stories[0].last_ns > reload->stories[1].last_ns];
}

void reload_story_timer(struct loop_timer *timer)
{
	struct reload *reload = RELOAD_OF(timer, story_timer);
	struct reload_story *first = story_first(reload);

	story_tell(reload, first);
	story_tell(reload, &reload->stories[first == &reload->stories[0]]);
}

void reload_tell(struct reload *reload, bool done, struct reload_lines *lines)
{
	struct reload_story *story = &reload->stories[done];
	int64_t now_ns = loop_now_ns(reload->loop);

	reload_lines_clear(&story->lines);
	story->lines = *lines;
	*lines = (struct reload_lines){0};
	story->facts = reload->facts;
	story->last_ns = now_ns;
	story->count++;
	if (reload->story_timer.slot != 0)
		return;
	if ((story->told_ns == 0 || now_ns - story->told_ns >= STORY_NS) ||
		loop_timer_start(reload->loop, &reload->story_timer, story->told_ns + STORY_NS) !=
			0)
		story_tell(reload, story);
}

void reload_tell_end(struct reload *reload)
{
	loop_timer_stop(reload->loop, &reload->story_timer);
	reload_story_timer(&reload->story_timer);
}
