/*
 * super_stop: the orderly end: no more clients, time to finish, TERM, time to obey, KILL.
 */
#include "config.h"
#include "superd/super_private.h"

#include "superd/clock.h"

#include <signal.h>

#define KILL_WAIT_NS (5 * CLOCK_NS_PER_S)  /* from KILL to giving up on what does not die */
#define STOP_SLACK_NS (5 * CLOCK_NS_PER_S) /* on top of the times above, for a busy machine */

static void super_tell(struct super *super, enum log_level level, const char *event)
{
	const struct service_context *context = &super->context;

	report_daemon_count(context->report, level, event, "programs",
		(int64_t)children_count(context->children));
}

/* KILL to what is left of the programs; a second time nothing helps any more. */
static void super_kill(struct super *super)
{
	struct loop *loop = super->context.loop;

	if (super->killed) {
		super_tell(super, LEVEL_WARNING, "left");
		super->done = true;
		return;
	}
	super->killed = true;
	super_tell(super, LEVEL_NOTICE, "kill");
	children_signal_all(super->context.children, SIGKILL);
	if (loop_timer_start(loop, &super->grace_timer, loop_now_ns(loop) + KILL_WAIT_NS) != 0)
		super->done = true; /* no memory to wait with */
}

/* TERM to every program. */
static void super_terminate(struct super *super)
{
	struct loop *loop = super->context.loop;

	if (super->terminated)
		return;
	super->terminated = true;
	loop_timer_stop(loop, &super->drain_timer);
	children_signal_all(super->context.children, SIGTERM);
	if (loop_timer_start(
		    loop, &super->grace_timer, loop_now_ns(loop) + super->conf->grace_ns) != 0)
		super_kill(super);
}

static void super_grace_timer(struct loop_timer *timer)
{
	super_kill(SUPER_OF(timer, grace_timer));
}

static void super_drain_timer(struct loop_timer *timer)
{
	struct super *super = SUPER_OF(timer, drain_timer);

	super_tell(super, LEVEL_NOTICE, "term");
	super_terminate(super);
}

void super_stop_init(struct super *super)
{
	super->drain_timer.fire_cb = super_drain_timer;
	super->grace_timer.fire_cb = super_grace_timer;
}

void super_stop(struct super *super)
{
	struct service_context *context = &super->context;
	int64_t drain_ns = super->conf->drain_ns;

	if (super->stopping) { /* who asks twice is in a hurry */
		super_terminate(super);
		return;
	}
	super->stopping = true;
	super_upgrade_cancel(super);
	reload_stop(super->reload);
	for (size_t i = 0; i < super->services.count; i++)
		service_stop(super->services.items[i]);
	notify_stopping(
		&super->notify, drain_ns + super->conf->grace_ns + KILL_WAIT_NS + STOP_SLACK_NS);
	if (drain_ns == 0 || children_count(context->children) == 0 ||
		loop_timer_start(context->loop, &super->drain_timer,
			loop_now_ns(context->loop) + drain_ns) != 0)
		super_terminate(super);
	else
		super_tell(super, LEVEL_NOTICE, "drain");
}

void super_leave(struct super *super)
{
	notify_stopping(&super->notify, STOP_SLACK_NS);
	super_upgrade_cancel(super);
	super->done = true;
}
