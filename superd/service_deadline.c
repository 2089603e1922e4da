/*
 * service_deadline: how long a program may live (`time`) and be silent (`idle`). Its time over,
 * its process group gets TERM, and after `grace` KILL.
 *
 * Silence is the kernel's to know: superd holds no descriptor of the connection and asks, by the
 * socket's cookie, when the last byte went either way (sock_diag(7)). A timer says when it can
 * first be too long ago; those that fire in one turn are asked about together at its end.
 *
 * What a program may is settled when it starts and kept in its entry of the child table: a reload
 * that changes `time` or `idle` is for those that come after it.
 */
#include "config.h"
#include "superd/service_private.h"

#include "superd/clock.h"
#include "superd/sockdiag.h"

#include <signal.h>

#define IDLE_BATCH 256
#define IDLE_STEP_NS (100 * CLOCK_NS_PER_MS) /* deadlines of idle fall together on these */

/* The child whose deadline timer is. */
static struct child *deadline_child(struct loop_timer *timer)
{
	return (struct child *)(void *)((char *)timer - offsetof(struct child, deadline));
}

static void deadline_arm(struct child *child, int64_t due_ns)
{
	const struct service *service = child->owner;
	struct service_context *context = service->context;

	if (loop_timer_start(context->loop, &child->deadline, due_ns) != 0)
		children_signal(context->children, child, SIGKILL); /* no memory to wait with */
}

/* The next look at the child, which has been silent since silent_ns on the monotonic clock. */
static void deadline_next(struct child *child, int64_t silent_ns)
{
	int64_t due_ns = child->ends_ns;
	int64_t idle_due_ns;

	if (child->cookie != 0) {
		idle_due_ns = silent_ns + child->idle_ns + IDLE_STEP_NS - 1;
		idle_due_ns -= idle_due_ns % IDLE_STEP_NS;
		due_ns = due_ns < idle_due_ns ? due_ns : idle_due_ns;
	}
	if (due_ns != INT64_MAX)
		deadline_arm(child, due_ns);
}

/* It is to be asked about at the end of the turn, unless it ends before. */
static void idle_list(struct service_context *context, struct child *child)
{
	child->idle_next = context->idle;
	if (child->idle_next != NULL)
		child->idle_next->idle_link = &child->idle_next;
	child->idle_link = &context->idle;
	context->idle = child;
}

static void idle_unlist(struct child *child)
{
	if (child->idle_link == NULL)
		return;
	*child->idle_link = child->idle_next;
	if (child->idle_next != NULL)
		child->idle_next->idle_link = child->idle_link;
	child->idle_link = NULL;
}

void service_end_program(struct child *child)
{
	const struct service *service = child->owner;
	struct service_context *context = service->context;

	if (child->overdue)
		return;
	child->overdue = true;
	idle_unlist(child);
	children_signal(context->children, child, SIGTERM);
	deadline_arm(child, loop_now_ns(context->loop) + context->conf->grace_ns);
}

/* Its time is over, by the option limit. */
static void deadline_sentence(struct child *child, const char *limit)
{
	const struct service *service = child->owner;

	service_end_program(child);
	report_deadline(service->report,
		&(struct report_session){.id = child->id, .peer = &child->peer, .pid = child->pid},
		limit);
}

static void deadline_fire(struct loop_timer *timer)
{
	struct child *child = deadline_child(timer);
	const struct service *service = child->owner;
	struct service_context *context = service->context;

	if (child->overdue) {
		children_signal(context->children, child, SIGKILL);
	} else if (loop_now_ns(context->loop) >= child->ends_ns) {
		deadline_sentence(child, "time");
	} else {
		idle_list(context, child);
	}
}

void service_deadline_start(struct child *child)
{
	int64_t time_ns = ((const struct service *)child->owner)->conf->limits.time_ns;

	child->ends_ns = time_ns > 0 ? child->started_ns + time_ns : INT64_MAX;
	child->deadline.fire_cb = deadline_fire;
	deadline_next(child, child->started_ns);
}

void service_deadline_stop(struct child *child)
{
	const struct service *service = child->owner;

	loop_timer_stop(service->context->loop, &child->deadline);
	idle_unlist(child);
}

void service_deadline_resume(struct child *child, int64_t due_ns)
{
	child->deadline.fire_cb = deadline_fire;
	if (due_ns > 0)
		deadline_arm(child, due_ns);
}

/* What the kernel said of one connection: another look later, or the end. */
static void idle_decide(struct child *child, const struct sockdiag_query *query, int64_t now_ns)
{
	int64_t silent_ns = (int64_t)query->silent_ms * CLOCK_NS_PER_MS;

	if (query->result == SOCKDIAG_GONE) /* nothing will ever move on it again */
		silent_ns = now_ns - child->active_ns;
	else if (query->result == SOCKDIAG_FAILED) /* not known: nobody is ended for that */
		silent_ns = 0;
	child->active_ns = now_ns - silent_ns;
	if (silent_ns >= child->idle_ns)
		deadline_sentence(child, "idle");
	else
		deadline_next(child, child->active_ns);
}

static struct sockdiag_query idle_query(const struct child *child)
{
	return (struct sockdiag_query){.local = child->local,
		.peer = child->peer,
		.cookie = child->cookie,
		.bound = child->bound,
		.accepted_ns = child->started_ns};
}

/* Takes up to IDLE_BATCH from the list and asks about them. */
static void idle_ask(struct service_context *context)
{
	struct sockdiag_query queries[IDLE_BATCH];
	struct child *children[IDLE_BATCH];
	int64_t now_ns = loop_now_ns(context->loop);
	struct error error;
	size_t count = 0;

	while (context->idle != NULL && count < IDLE_BATCH) {
		struct child *child = context->idle;

		idle_unlist(child);
		children[count] = child;
		queries[count++] = idle_query(child);
	}
	if (sockdiag_ask(context->sockdiag, queries, count, &error) != 0) {
		/* the kernel does not say: nobody is ended for it, and it is asked again */
		for (size_t i = 0; i < count; i++)
			deadline_next(children[i], now_ns);
		return;
	}
	for (size_t i = 0; i < count; i++)
		idle_decide(children[i], &queries[i], now_ns);
}

void service_check_idle(struct service_context *context)
{
	while (context->idle != NULL)
		idle_ask(context);
}
