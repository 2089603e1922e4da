/*
 * reload: requests in their order, and the stages of the one under way.
 */
#include "config.h"
#include "superd/reload.h"

#include "superd/clock.h"
#include "superd/reload_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long one turn of the loop may be worked on; accepting waits for it. */
#define SLICE_NS (4 * CLOCK_NS_PER_MS)

static void reload_step_timer(struct loop_timer *timer);
static void reload_next(struct reload *reload);

int reload_new(const struct reload_host *host, const struct conf *conf, struct reload **reload,
	struct error *error)
{
	struct reload *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return error_set(error, ENOMEM, "reload");
	made->host = *host;
	made->loop = host->context->loop;
	made->current = conf;
	made->step.fire_cb = reload_step_timer;
	made->sweep.fire_cb = reload_sweep_timer;
	made->story_timer.fire_cb = reload_story_timer;
	*reload = made;
	return 0;
}

/* --- requests ------------------------------------------------------------------------------- */

static void job_free(struct reload_job *job)
{
	struct reload_waiter *waiter;

	while ((waiter = job->waiters) != NULL) {
		job->waiters = waiter->next;
		free(waiter);
	}
	free(job->path);
	free(job);
}

/* A job at the end of the queue; NULL where memory is out. */
static struct reload_job *job_add(struct reload *reload, const char *path)
{
	struct reload_job **link = &reload->jobs;
	struct reload_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	if (path != NULL && (job->path = strdup(path)) == NULL) {
		free(job);
		return NULL;
	}
	while (*link != NULL)
		link = &(*link)->next;
	*link = job;
	return job;
}

/* One who waits for the end of job; NULL: nobody does. */
static void job_wait(struct reload_job *job, struct reload_waiter *waiter)
{
	struct reload_waiter **link = &job->waiters;

	while (*link != NULL)
		link = &(*link)->next;
	*link = waiter;
}

/* The reload that waits for its turn; NULL: there is none. */
static struct reload_job *job_queued(const struct reload *reload)
{
	struct reload_job *job = reload->jobs;

	if (job != NULL && reload->stage != RELOAD_IDLE)
		job = job->next;
	while (job != NULL && job->path != NULL)
		job = job->next;
	return job;
}

static int reload_request(struct reload *reload, struct reload_job *job, const char *path,
	const struct reload_done *done, struct error *error)
{
	struct reload_waiter *waiter = NULL;

	if (reload->stopping)
		return error_set(error, 0, "superd is stopping");
	if (done != NULL) {
		waiter = calloc(1, sizeof(*waiter));
		if (waiter == NULL)
			return error_set(error, ENOMEM, "reload");
		waiter->done = *done;
	}
	if (job == NULL)
		job = job_add(reload, path);
	if (job == NULL) {
		free(waiter);
		return error_set(error, ENOMEM, "reload");
	}
	job_wait(job, waiter);
	reload_next(reload);
	return 0;
}

int reload_begin(struct reload *reload, const struct reload_done *done, struct error *error)
{
	return reload_request(reload, job_queued(reload), NULL, done, error);
}

int reload_diff(struct reload *reload, const char *path, const struct reload_done *done,
	struct error *error)
{
	return reload_request(reload, NULL, path, done, error);
}

/* Tells everybody who waits for it. */
static void job_tell(struct reload_job *job, bool done, const struct reload_lines *lines)
{
	for (const struct reload_waiter *at = job->waiters; at != NULL; at = at->next)
		at->done.done_cb(
			at->done.owner, done, (const char *const *)lines->lines, lines->count);
}

/* The first job has ended. */
static void reload_finish(struct reload *reload, bool done)
{
	struct reload_job *job = reload->jobs;
	struct reload_lines lines = reload->lines;

	reload->jobs = job->next;
	reload->lines = (struct reload_lines){0};
	reload->stage = RELOAD_IDLE;
	if (job->path == NULL)
		reload->host.ended_cb(reload->host.owner);
	job_tell(job, done, &lines);
	if (job->path == NULL)
		reload_tell(reload, done, &lines);
	reload_lines_clear(&lines);
	job_free(job);
	reload_sweep(reload);
	reload_next(reload);
}

/* Begins the first job, unless one is under way. */
static void reload_next(struct reload *reload)
{
	if (reload->stage != RELOAD_IDLE || reload->jobs == NULL || reload->stopping)
		return;
	reload->begun_ns = clock_now_ns();
	if (reload->jobs->path == NULL)
		reload->host.begun_cb(reload->host.owner);
	reload_load(reload);
}

/* --- stages --------------------------------------------------------------------------------- */

static void reload_enter(struct reload *reload, enum reload_stage stage)
{
	reload->stage = stage;
	/* Without memory for a timer the stage is gone through at once. */
	if (reload->step.slot == 0 &&
		loop_timer_start(reload->loop, &reload->step, loop_now_ns(reload->loop)) != 0)
		reload_step_timer(&reload->step);
}

void reload_loaded(struct reload *reload)
{
	struct error error;

	if (reload_plan_begin(&reload->plan, reload->host.list, reload->conf, &error) != 0)
		reload_fail(reload, &error);
	else
		reload_enter(reload, RELOAD_PLANNING);
}

/* What is known of the failure, in full; where somebody else has the endpoint, the search for who
   that is begins. */
static void reload_note_problem(struct reload *reload, const struct error *error)
{
	const struct listener *culprit = reload->prepare.culprit;

	reload->problem = *error;
	reload->prepare.culprit = NULL; /* it will not live long */
	if (culprit == NULL)
		return;
	error_set(&reload->problem, 0, "%s:%u: service \"%s\": %s: %s", culprit->conf->where.file,
		culprit->conf->where.line, culprit->service->name, culprit->conf->text,
		error->text);
	if (error->code == EADDRINUSE)
		reload->holder = holder_begin(culprit->conf->type, &culprit->conf->addr);
}

void reload_fail(struct reload *reload, const struct error *error)
{
	reload_note_problem(reload, error);
	reload_enter(reload, RELOAD_UNDOING);
}

/* Everything is undone, and the search has ended: the old configuration was in force all the
   time. */
static void reload_failed(struct reload *reload)
{
	char who[HOLDER_TEXT_SIZE] = "";
	char text[sizeof(reload->problem.text) + sizeof(who) + 16];

	if (reload->holder != NULL)
		holder_format(reload->holder, who);
	holder_free(reload->holder);
	reload->holder = NULL;
	if (reload->problem.text[0] != '\0') {
		snprintf(text, sizeof(text), "%s%s%s", reload->problem.text,
			who[0] != '\0' ? ": held by " : "", who);
		reload_lines_add(&reload->lines, CONF_PROBLEM, text, SIZE_MAX);
	}
	reload_finish(reload, false);
}

/* The new configuration and everything that was planned with it goes. */
static void reload_forget(struct reload *reload)
{
	reload_prepare_end(&reload->prepare);
	reload_plan_end(&reload->plan);
	conf_free(reload->conf);
	reload->conf = NULL;
}

static void reload_planned(struct reload *reload)
{
	char text[RELOAD_LINE_SIZE];

	if (reload->jobs->path == NULL) {
		reload->prepare = (struct reload_prepare){
			.context = reload->host.context,
			.plan = &reload->plan,
			.leftovers = reload->leftovers,
			.sink_cb = reload->host.sink_cb,
			.owner = reload->host.owner,
		};
		reload->stage = RELOAD_PREPARING;
		return;
	}
	reload_lines_clear(&reload->lines);
	for (size_t i = 0; i < reload->plan.count; i++)
		reload_lines_add(&reload->lines, CONF_WARNING,
			reload_item_format(&reload->plan.items[i], text), SIZE_MAX);
	reload_forget(reload);
	reload_finish(reload, true);
}

static void reload_prepare_on(struct reload *reload)
{
	struct error error;
	int result = reload_prepare_step(&reload->prepare, &error);

	if (result == 0)
		result = reload_commit(reload, &error) == 0 ? 0 : -1;
	if (result < 0)
		reload_fail(reload, &error);
	else if (result == 0)
		reload->stage = RELOAD_CLEANING;
}

static void reload_undo_on(struct reload *reload)
{
	if (reload->prepare.plan != NULL && reload_prepare_undo(&reload->prepare))
		return;
	reload_forget(reload);
	if (reload->holder != NULL)
		reload->stage = RELOAD_SEARCHING;
	else
		reload_failed(reload);
}

/* One short step; returns whether there is more to do now. */
static bool reload_step(struct reload *reload)
{
	switch (reload->stage) {
	case RELOAD_PLANNING:
		if (!reload_plan_step(&reload->plan))
			reload_planned(reload);
		break;
	case RELOAD_PREPARING:
		reload_prepare_on(reload);
		break;
	case RELOAD_UNDOING:
		reload_undo_on(reload);
		break;
	case RELOAD_SEARCHING:
		if (!holder_step(reload->holder))
			reload_failed(reload);
		break;
	case RELOAD_CLEANING:
		if (!reload_clean_step(reload, reload->olds, reload->stopping))
			reload_finish(reload, true);
		break;
	default:
		return false;
	}
	return reload->stage != RELOAD_IDLE && reload->stage != RELOAD_LOADING;
}

static void reload_step_timer(struct loop_timer *timer)
{
	struct reload *reload = RELOAD_OF(timer, step);
	int64_t begun_ns = clock_now_ns();

	while (reload_step(reload)) {
		if (!reload->stopping && clock_now_ns() - begun_ns > SLICE_NS &&
			loop_timer_start(reload->loop, timer, begun_ns) == 0)
			return;
	}
}

/* --- the end -------------------------------------------------------------------------------- */

/* Those whose turn will not come. */
static void reload_turn_away(struct reload *reload, const char *why)
{
	struct reload_lines lines = {0};
	struct reload_job *job;

	reload_lines_add(&lines, CONF_PROBLEM, why, RELOAD_LINES_MAX);
	while ((job = reload->jobs) != NULL) {
		reload->jobs = job->next;
		job_tell(job, false, &lines);
		job_free(job);
	}
	reload_lines_clear(&lines);
}

void reload_stop(struct reload *reload)
{
	struct error error;

	if (reload == NULL || reload->stopping)
		return;
	reload->stopping = true;
	error_set(&error, 0, "superd is stopping");
	reload_load_kill(reload);
	holder_free(reload->holder);
	reload->holder = NULL;
	if (reload->stage != RELOAD_IDLE && reload->stage != RELOAD_CLEANING)
		reload_fail(reload, &error);
	reload_step_timer(&reload->step);
	loop_timer_stop(reload->loop, &reload->step);
	reload_turn_away(reload, error.text);
	for (struct reload_old *old = reload->olds; old != NULL; old = old->next) {
		while (!old->clean)
			reload_clean_step(reload, old, true);
	}
	reload_leftover_end(&reload->leftovers, reload->host.context);
}

void reload_free(struct reload *reload)
{
	struct reload_old *old;

	if (reload == NULL)
		return;
	reload_load_abandon(reload);
	loop_timer_stop(reload->loop, &reload->sweep);
	reload_flush(reload);
	while ((old = reload->olds) != NULL) {
		reload->olds = old->next;
		conf_free(old->conf);
		free(old);
	}
	conf_free(reload->current);
	free(reload);
}

/* --- facts ---------------------------------------------------------------------------------- */

void reload_warn(struct reload *reload, const char *text)
{
	reload_lines_add(&reload->lines, CONF_WARNING, text, RELOAD_LINES_MAX);
}

bool reload_busy(const struct reload *reload)
{
	return reload->stage != RELOAD_IDLE;
}
