/*
 * super_upgrade: the upgrade in place, from the request to the exec.
 *
 * While the new program is on trial superd serves as ever. Then it has to wait for a moment in
 * which no program is being started: a start that is under way uses superd's memory. Programs that
 * run, clients that wait and signals that come are the new program's.
 */
#include "config.h"
#include "superd/super_upgrade.h"

#include "superd/clock.h"
#include "superd/super_private.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_MS 20 /* how long nobody is served for the starts that are under way */
#define FRESH_NS (100 * CLOCK_NS_PER_MS) /* a start that takes longer hangs */
#define FORKED_NO_EXEC 0x40u             /* PF_FORKNOEXEC of the kernel, proc(5) */
#define AGAIN_NS (100 * CLOCK_NS_PER_MS)
#define CONTROL_ATTEMPTS 10
#define ATTEMPTS 250 /* 25 s: a start that hangs is killed after 5, a loader after 20 */

/* The upgrade is over, and nothing came of it. */
static void handover_fail(struct super *super, const char *problem)
{
	struct super_handover *handover = &super->handover;
	int (*done_cb)(void *owner, const char *problem) = handover->done_cb;

	loop_timer_stop(super->context.loop, &handover->again);
	handover->stage = HANDOVER_NONE;
	handover->done_cb = NULL;
	report_problem(super->context.report, LEVEL_ERROR, "upgrade", problem);
	if (done_cb != NULL)
		done_cb(handover->owner, problem);
}

static void handover_tried(void *owner, const struct error *problem)
{
	struct super *super = owner;

	if (problem != NULL)
		handover_fail(super, problem->text);
	else
		super->handover.stage = HANDOVER_DUE; /* super_hand_over() follows in this turn */
}

/* It only ends the wait: super_hand_over() follows. */
static void handover_again(struct loop_timer *timer)
{
	(void)timer;
}

/* Starts the trial, over a copy of the state as it is now. */
static int handover_try(struct super *super, struct error *error)
{
	struct super_handover *handover = &super->handover;
	struct state state;
	int state_fd = -1;
	int result = -1;

	if (super->options->exe == NULL) {
		error_set(error, 0, "superd does not know where its program is");
	} else if (super_snapshot(super, &state, error) == 0) {
		state_fd = state_store(&state, error);
	}
	if (super->options->exe != NULL)
		state_free(&state);
	if (state_fd < 0)
		return -1;
	result = upgrade_try(&handover->trial, super->context.loop, super->options->exe,
		super->options->argv, state_fd, handover_tried, super, error);
	close(state_fd);
	return result;
}

void super_upgrade(
	struct super *super, int (*done_cb)(void *owner, const char *problem), void *owner)
{
	struct super_handover *handover = &super->handover;
	struct error error;

	if (handover->stage != HANDOVER_NONE || super->stopping) {
		if (done_cb != NULL)
			done_cb(owner, super->stopping ? "superd is stopping"
						       : "an upgrade is under way already");
		return;
	}
	handover->stage = HANDOVER_TRIAL;
	handover->attempts = 0;
	handover->again.fire_cb = handover_again;
	handover->done_cb = done_cb;
	handover->owner = owner;
	if (handover_try(super, &error) != 0)
		handover_fail(super, error.text);
}

void super_upgrade_reaped(struct super *super, pid_t pid, int status)
{
	upgrade_trial_reaped(&super->handover.trial, pid, status);
}

void super_upgrade_cancel(struct super *super)
{
	struct super_handover *handover = &super->handover;

	if (handover->stage == HANDOVER_NONE)
		return;
	upgrade_trial_cancel(&handover->trial);
	handover_fail(super, "superd is stopping");
}

static void handover_stuck(void *owner, void *service, pid_t pid)
{
	(void)owner;
	service_stuck(service, pid);
}

/* Whether the process is between fork(2) and exec(2). */
static bool process_is_starting(pid_t pid)
{
	char path[64];
	char text[512];
	const char *rest;
	unsigned flags = 0;
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[got > 0 ? got : 0] = '\0';
	rest = strrchr(text, ')'); /* the end of its name */
	return rest != NULL && sscanf(rest, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & FORKED_NO_EXEC) != 0;
}

struct starting {
	int64_t since_ns;
	bool found;
};

static void starting_look(void *owner, struct child *child)
{
	struct starting *starting = owner;

	if (child->started_ns >= starting->since_ns && process_is_starting(child->pid))
		starting->found = true;
}

/*
 * Whether a program is being started. A forked one holds no slot, but the memory into which it
 * would write what went wrong is the old program's.
 */
static bool handover_starts(struct super *super)
{
	const struct service_context *context = &super->context;
	struct starting starting = {.since_ns = clock_now_ns() - FRESH_NS};

	if (spawn_busy(context->spawn) > 0)
		spawn_collect(context->spawn, clock_now_ns(), handover_stuck, super);
	if (spawn_busy(context->spawn) > 0)
		return true;
	if (spawn_kind(context->spawn) == SPAWN_FORK)
		children_each(context->children, starting_look, &starting);
	return starting.found;
}

/* Whether no program is being started, now or in a moment. */
static bool handover_settle(struct super *super)
{
	for (int i = 0; i < SETTLE_MS; i++) {
		if (!handover_starts(super))
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

/* Returns only where it failed. */
static void handover_take(struct super *super, int64_t left_ns)
{
	struct super_handover *handover = &super->handover;
	struct service_context *context = &super->context;
	struct error error;
	struct state state;
	int asker_fd = -1;

	reload_flush(super->reload);
	report_flush(context->report);
	log_flush();
	if (super_snapshot(super, &state, &error) == 0) {
		if (handover->done_cb != NULL)
			asker_fd = handover->done_cb(handover->owner, NULL);
		handover->done_cb = NULL;
		state.left_ns = left_ns;
		state.asker_fd = asker_fd;
		upgrade_take(&state, super->options->exe, super->options->argv, &error);
	}
	state_free(&state);
	if (asker_fd >= 0)
		control_answer_taken(asker_fd, error.text);
	handover_fail(super, error.text);
}

/* Whether something has to end before, which it will; who asks superd is given a second. */
static bool handover_must_wait(struct super *super)
{
	return reload_busy(super->reload) ||
	       (control_busy(super->control) && super->handover.attempts < CONTROL_ATTEMPTS) ||
	       !handover_settle(super);
}

void super_hand_over(struct super *super)
{
	struct super_handover *handover = &super->handover;
	struct loop *loop = super->context.loop;
	int64_t now_ns = clock_now_ns();

	if (handover->stage != HANDOVER_DUE || handover->again.slot != 0)
		return;
	if (!handover_must_wait(super))
		handover_take(super, now_ns);
	else if (++handover->attempts >= ATTEMPTS ||
		 loop_timer_start(loop, &handover->again, now_ns + AGAIN_NS) != 0)
		handover_fail(
			super, "a reload, or the start of a program, does not come to an end");
}

static int answer_upgraded(void *owner, const char *problem)
{
	if (problem == NULL)
		return control_take(owner);
	control_refuse(owner, "%s", problem);
	return -1;
}

void super_answer_upgrade(struct super *super, struct control_request *request)
{
	super_upgrade(super, answer_upgraded, request);
}
