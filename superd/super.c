/*
 * super: the loop's turns, signals, and the orderly end.
 */
#include "config.h"
#include "superd/super.h"

#include "superd/clock.h"
#include "superd/process.h"
#include "superd/super_private.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#define SLOT_TIMER_NS CLOCK_NS_PER_MS
#define SLOT_DENSE_TIMER_NS (5 * CLOCK_NS_PER_MS) /* beyond the kernel's tick, mostly */
#define STARVED_TIMER_NS (100 * CLOCK_NS_PER_MS)
#define REAP_TIMER_NS (10 * CLOCK_NS_PER_MS) /* ten times what a walk along 10,000 takes */
#define LOG_TIMER_NS CLOCK_NS_PER_S

static void super_stuck(void *owner, void *service, pid_t pid)
{
	(void)owner;
	service_stuck(service, pid);
}

/*
 * When the slots are to be looked at if nothing happens before: in a millisecond. Where turns come
 * faster than that, each of them looks; then a timer is set only to be taken back, and one that is
 * due before the kernel's tick makes the processor set its alarm anew each time, which cost an
 * eighth of superd's time. But a service that waits for a slot may have nothing else to wake it.
 */
static void super_watch_slots(struct super *super, int64_t now_ns)
{
	struct service_context *context = &super->context;
	bool dense = now_ns - super->turn_ns < SLOT_TIMER_NS && context->starved == NULL;

	loop_timer_start(context->loop, &super->slot_timer,
		now_ns + (dense ? SLOT_DENSE_TIMER_NS : SLOT_TIMER_NS));
}

/* After every turn: slots that came free, and the lines of the turn. */
static void super_turn(void *owner)
{
	struct super *super = owner;
	struct service_context *context = &super->context;
	int64_t now_ns = loop_now_ns(context->loop);

	if (spawn_busy(context->spawn) > 0) {
		if (spawn_collect(context->spawn, now_ns, super_stuck, super) > 0)
			service_wake_starved(context);
		if (spawn_busy(context->spawn) > 0)
			super_watch_slots(super, now_ns);
	}
	super->turn_ns = now_ns;
	service_check_idle(context);
	notify_turn(&super->notify);
	super_hand_over(super);
	log_flush();
	if (log_pending() && super->log_timer.slot == 0)
		loop_timer_start(context->loop, &super->log_timer, now_ns + LOG_TIMER_NS);
}

static void super_left(void *owner, void *service, int64_t took_ns)
{
	(void)owner;
	service_started(service, took_ns);
}

/* It only ends the wait: super_turn() does the work. */
static void super_wake_timer(struct loop_timer *timer)
{
	(void)timer;
}

static void super_starved(struct service_context *context)
{
	struct super *super = SUPER_OF(context, context);

	if (super->starved_timer.slot == 0)
		loop_timer_start(context->loop, &super->starved_timer,
			loop_now_ns(context->loop) + STARVED_TIMER_NS);
}

static void super_starved_timer(struct loop_timer *timer)
{
	service_wake_starved(&SUPER_OF(timer, starved_timer)->context);
}

static void super_reaped(
	void *owner, struct child *child, pid_t pid, int status, const struct rusage *usage)
{
	struct super *super = owner;
	struct service *service;

	if (child == NULL) {
		super_upgrade_reaped(super, pid, status);
		reload_reaped(super->reload, pid, status);
		return;
	}
	spawn_reaped(super->context.spawn, pid);
	service = child->owner;
	service_reaped(service, child, status, usage);
	if (super->stopping)
		service_stop(service);
}

/* named: 0 looks for everybody who has ended. */
static void super_reap(struct super *super, pid_t named)
{
	struct service_context *context = &super->context;

	if (!children_reap(context->children, named, super_reaped, super) &&
		super->reap_timer.slot == 0 &&
		loop_timer_start(context->loop, &super->reap_timer,
			loop_now_ns(context->loop) + REAP_TIMER_NS) != 0)
		children_reap(context->children, 0, super_reaped, super);
	service_wake_starved(context);
}

static void super_reap_timer(struct loop_timer *timer)
{
	super_reap(SUPER_OF(timer, reap_timer), 0);
}

/* At most one line a second. */
static void super_ignored(struct super *super, int signal)
{
	int64_t now_ns = loop_now_ns(super->context.loop);

	if (signal == super->ignored_signal && now_ns - super->ignored_ns < CLOCK_NS_PER_S)
		return;
	super->ignored_signal = signal;
	super->ignored_ns = now_ns;
	report_daemon(
		super->context.report, LEVEL_NOTICE, "ignored", "signal", sigabbrev_np(signal));
}

static void super_hangup(struct super *super)
{
	struct error error;

	if (super_reload(super, NULL, &error) != 0)
		report_problem(super->context.report, LEVEL_ERROR, "reload", error.text);
}

static void super_signal(void *owner, int signal, pid_t sender)
{
	struct super *super = owner;
	struct service_context *context = &super->context;

	switch (signal) {
	case SIGCHLD:
		super_reap(super, sender);
		break;
	case SIGTERM:
	case SIGINT:
		report_daemon(
			context->report, LEVEL_NOTICE, "stop", "signal", sigabbrev_np(signal));
		super_stop(super);
		break;
	case SIGQUIT:
		report_daemon(
			context->report, LEVEL_NOTICE, "stop", "signal", sigabbrev_np(signal));
		super_leave(super);
		break;
	case SIGUSR2:
		if (super->handover.stage == HANDOVER_NONE && !super->stopping)
			super_upgrade(super, NULL, NULL);
		else
			super_ignored(super, signal);
		break;
	case SIGHUP:
		super_hangup(super);
		break;
	case SIGUSR1:
		super_log_status(super);
		break;
	default:
		super_ignored(super, signal);
		break;
	}
}

static int super_watch_signals(struct super *super, struct error *error)
{
	static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&set, signals[i]);
	return loop_signals_start(super->context.loop, &set, super_signal, super, error);
}

static int super_loop(struct super *super, struct error *error)
{
	struct service_context *context = &super->context;

	while (!super->done) {
		if (loop_turn(context->loop, error) != 0)
			return EX_OSERR;
		if (super->stopping && children_count(context->children) == 0)
			super->done = true;
	}
	return 0;
}

/* Everything up to the first turn of the loop. Returns 0 or the exit status. */
static int super_start(struct super *super, struct error *error)
{
	struct service_context *context = &super->context;
	int status = super_build(super, error);

	if (status != 0)
		return status;
	super->slot_timer.fire_cb = super_wake_timer;
	super->log_timer.fire_cb = super_wake_timer;
	super->starved_timer.fire_cb = super_starved_timer;
	super->reap_timer.fire_cb = super_reap_timer;
	super_stop_init(super);
	super->started_ns = clock_now_ns();
	super->loaded_wall_ns = clock_wall_ns();
	super->generation = 1;
	spawn_set_left_cb(context->spawn, super_left, super);
	context->starved_cb = super_starved;
	loop_set_turn_cb(context->loop, super_turn, super);
	if (super->options->arrival->role != UPGRADE_NONE)
		status = super_restore(super, error);
	if (status != 0 || super->options->arrival->role == UPGRADE_TRY)
		return status;
	if (super_watch_signals(super, error) != 0)
		return EX_OSERR;
	return super_open(super, error);
}

/* It serves: whoever waits for that is told, and what an upgrade had in hand is given back. */
static void super_settled(struct super *super, int detached)
{
	const struct super_options *options = super->options;

	process_report(detached, 0);
	notify_ready(&super->notify);
	if (options->arrival->role == UPGRADE_NONE) {
		process_ready(options->ready_fd);
		return;
	}
	if (options->arrival->state.asker_fd >= 0)
		control_answer_taken(options->arrival->state.asker_fd,
			options->arrival->role == UPGRADE_BACK ? options->arrival->why : NULL);
	upgrade_settle(options->arrival);
	/* Who ended between the two programs sent his signal to the first one. */
	super_reap(super, 0);
}

/* The new program cannot take over: the old one goes on. Returns only where that failed. */
static void super_go_back(const struct super *super, const struct error *error)
{
	const struct super_options *options = super->options;
	struct error problem;

	log_flush();
	upgrade_go_back(options->arrival, options->argv,
		error->text[0] != '\0' ? error->text : super->problem, &problem);
	fprintf(stderr, "superd: %s\n", problem.text);
}

int super_run(const struct super_options *options)
{
	struct super super = {.options = options, .pid_fd = -1, .context = {.null_fd = -1}};
	enum upgrade_role role = options->arrival->role;
	struct error error = {0};
	int detached = -1;
	int status;

	process_reset();
	status = super_load(&super, &error);
	if (status == 0 && options->detach && role == UPGRADE_NONE) {
		detached = process_detach(&error);
		status = detached < 0 ? EX_OSERR : 0;
	}
	if (status == 0)
		status = super_start(&super, &error);
	if (status != 0 && role == UPGRADE_TAKE)
		super_go_back(&super, &error);
	if (status == 0 && role == UPGRADE_TRY)
		status = upgrade_answer(options->arrival) == 0 ? 0 : EX_OSERR;
	else if (status == 0) {
		super_settled(&super, detached);
		detached = -1;
		status = super_loop(&super, &error);
	}
	log_flush();
	if (error.text[0] != '\0')
		fprintf(stderr, "superd: %s\n", error.text);
	if (status != 0)
		process_report(detached, status);
	super_end(&super);
	return status;
}
