/*
 * super_glance: SIGUSR1: the status of every service as a line of the log.
 */
#include "config.h"
#include "superd/super_private.h"

#include "superd/clock.h"

#define LINES_PER_TURN 64

static void glance_service(const struct service *service)
{
	struct report_glance glance = {
		.state = service_state_name(service_state(service)),
		.sockets = service->conf->socket_count,
		.running = service->running,
		.instances = service->conf->limits.instances,
	};

	for (size_t i = 0; i < service->conf->socket_count; i++)
		glance.listeners += service->listeners[i].state == LISTENER_OPEN;
	report_status(service->report, &glance);
}

/* The next lines; the rest follows in the next turn. */
static void glance_next(struct loop_timer *timer)
{
	struct super *super =
		(struct super *)(void *)((char *)timer - offsetof(struct super, status_timer));
	const struct service_list *list = &super->services;
	const struct service *service;
	int64_t now_ns = loop_now_ns(super->context.loop);

	for (int i = 0; i < LINES_PER_TURN && super->status_next < list->count; i++)
		glance_service(list->items[super->status_next++]);
	if (super->status_next < list->count) {
		loop_timer_start(super->context.loop, &super->status_timer, now_ns);
		return;
	}
	for (service = list->retired; service != NULL; service = service->retired_next)
		glance_service(service);
}

void super_log_status(struct super *super)
{
	int64_t up_ns = loop_now_ns(super->context.loop) - super->started_ns;

	report_daemon_count(
		super->context.report, LEVEL_NOTICE, "status", "uptime_s", up_ns / CLOCK_NS_PER_S);
	super->status_next = 0;
	super->status_timer.fire_cb = glance_next;
	loop_timer_start(
		super->context.loop, &super->status_timer, loop_now_ns(super->context.loop));
}
