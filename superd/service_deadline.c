/*
 * service_deadline: how long a program may live. Its time over, its process group gets TERM, and
 * after `grace` KILL; so it does where it ignores the one and is stopped for the other.
 */
#include "config.h"
#include "superd/service_private.h"

#include <signal.h>

/* The child whose deadline timer is. */
static struct child *deadline_child(struct loop_timer *timer)
{
	return (struct child *)(void *)((char *)timer - offsetof(struct child, deadline));
}

static void deadline_fire(struct loop_timer *timer)
{
	struct child *child = deadline_child(timer);
	struct service *service = child->owner;
	struct service_context *context = service->context;
	int signal = child->overdue ? SIGKILL : SIGTERM;

	children_signal(context->children, child, signal);
	if (signal == SIGKILL)
		return;
	child->overdue = true;
	report_deadline(service->report,
		&(struct report_session){.id = child->id, .peer = &child->peer, .pid = child->pid},
		"time");
	if (loop_timer_start(context->loop, timer,
		    loop_now_ns(context->loop) + context->conf->grace_ns) != 0)
		children_signal(context->children, child, SIGKILL); /* no memory to wait with */
}

void service_deadline_start(struct service *service, struct child *child)
{
	int64_t time_ns = service->conf->limits.time_ns;

	child->deadline.fire_cb = deadline_fire;
	if (time_ns > 0 && loop_timer_start(service->context->loop, &child->deadline,
				   child->started_ns + time_ns) != 0)
		children_signal(service->context->children, child, SIGKILL);
}
