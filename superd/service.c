/*
 * service: life, state and the decision to watch.
 */
#include "config.h"
#include "superd/service.h"

#include "superd/clock.h"
#include "superd/errpipe.h"
#include "superd/service_private.h"

#include <errno.h>
#include <stdlib.h>

#define THROTTLE_AFTER 5 /* failures in a row that are borne without a pause */
#define THROTTLE_FIRST_NS CLOCK_NS_PER_S
#define THROTTLE_LAST_NS (60 * CLOCK_NS_PER_S)
#define IDLE_RUN_NS (20 * CLOCK_NS_PER_MS)

const char *service_state_name(enum service_state state)
{
	static const char *const names[] = {"stopped", "listening", "full", "busy", "starved",
		"throttled", "paused", "draining"};

	return names[state];
}

/* Whether a program has every socket of it. */
static bool group_is_busy(const struct service_group *group)
{
	if (group->busy != 0)
		return true;
	for (size_t i = 0; i < group->count; i++) {
		if (group->listeners[i].held == 0)
			return false;
	}
	return true;
}

static bool service_all_busy(const struct service *service)
{
	for (size_t i = 0; i < service->group_count; i++) {
		if (!group_is_busy(&service->groups[i]))
			return false;
	}
	return true;
}

enum service_state service_state(const struct service *service)
{
	if (service->draining || (service->stopped && service->running > 0))
		return SERVICE_DRAINING;
	if (service->stopped)
		return SERVICE_STOPPED;
	if (service->paused)
		return SERVICE_PAUSED;
	if (service->throttle.slot != 0)
		return SERVICE_THROTTLED;
	if (service->starved)
		return SERVICE_STARVED;
	if (service->running >= service->conf->limits.instances)
		return SERVICE_FULL;
	return service_all_busy(service) ? SERVICE_BUSY : SERVICE_LISTENING;
}

void service_pause(struct service *service, bool paused)
{
	service->paused = paused;
	service_update_watch(service);
}

/* Whether the group's sockets are to be watched while the service is in state. */
static bool group_wants_watch(const struct service_group *group, enum service_state state)
{
	if (group->busy != 0)
		return false;
	switch (state) {
	case SERVICE_LISTENING:
		return true;
	case SERVICE_FULL: /* who comes now is refused, or waits in the kernel's backlog */
		return !group->wait && group->service->conf->limits.on_full == ON_FULL_REFUSE;
	default:
		return false;
	}
}

void service_open_failed(struct listener *listener, const struct error *error)
{
	struct service_group *group = listener->owner;

	report_error(group->service->report, &(struct report_failure){.step = "listen",
						     .text = error->text,
						     .endpoint = listener->conf->text,
						     .warns = listener->state == LISTENER_ABSENT});
}

/* Turns clients away where closing the socket does that: see service_drain(). */
static void group_close(struct service_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		if (!group->listeners[i].lent && group->listeners[i].held == 0)
			listener_dismiss(&group->listeners[i]);
	}
}

static void group_watch(struct service_group *group, bool watched)
{
	struct error error;

	group->watched = watched;
	for (size_t i = 0; i < group->count; i++) {
		struct listener *listener = &group->listeners[i];

		if (listener_watch(listener, watched && listener->held == 0, &error) != 0)
			service_open_failed(listener, &error);
	}
}

void service_update_watch(struct service *service)
{
	enum service_state state = service_state(service);

	for (size_t i = 0; i < service->group_count; i++) {
		struct service_group *group = &service->groups[i];
		bool watched = group_wants_watch(group, state);

		if (service->draining && group->busy == 0)
			group_close(group);
		if (group->watched != watched)
			group_watch(group, watched);
	}
}

void service_ready(struct listener *listener)
{
	struct service_group *group = listener->owner;

	if (group->wait)
		service_wait_start(group, listener);
	else
		service_accept(group, listener);
	service_update_watch(group->service);
}

void service_group_refresh(struct service_group *group)
{
	group_watch(group, false);
	service_update_watch(group->service);
}

void service_opened(struct listener *listener)
{
	struct service_group *group = listener->owner;

	report_open(group->service->report, listener->conf->text);
	service_group_refresh(group);
}

static void service_throttle_over(struct loop_timer *timer)
{
	service_update_watch(
		(struct service *)(void *)((char *)timer - offsetof(struct service, throttle)));
}

static void service_stderr_line(void *owner, const char *text, size_t length, uint64_t dropped)
{
	const struct service *service = owner;

	report_stderr(service->report, text, length, dropped);
}

struct errpipe *service_make_errpipe(struct service *service)
{
	return errpipe_new(service->context->loop, service_stderr_line, service);
}

static int service_make_sockets(struct service *service)
{
	struct service_sockets sockets;
	int result = service_sockets_make(service, service->conf, &sockets);

	service->listeners = sockets.listeners;
	service->groups = sockets.groups;
	service->group_count = sockets.group_count;
	return result;
}

int service_new(struct service_context *context, const struct conf_service *conf,
	struct log_sink *sink, struct service **service, struct error *error)
{
	struct service *made = calloc(1, sizeof(*made));

	if (made == NULL) {
		log_sink_close(sink);
		return error_set(error, ENOMEM, "service %s", conf->name);
	}
	made->conf = conf;
	made->context = context;
	made->stopped = true;
	made->throttle.fire_cb = service_throttle_over;
	made->gone.service = made;
	made->gone.wait = true;
	made->report = report_subject_new(context->report, conf, sink);
	if (made->report == NULL)
		log_sink_close(sink);
	made->sources = limit_new();
	if (conf->stderr_to != STDERR_NULL)
		made->errpipe = service_make_errpipe(made);
	if (made->sources != NULL)
		limit_set_policy(made->sources, &conf->limits.sources);
	if (made->report == NULL || made->sources == NULL || service_make_sockets(made) != 0 ||
		(conf->stderr_to != STDERR_NULL && made->errpipe == NULL)) {
		service_free(made);
		return error_set(error, ENOMEM, "service %s", conf->name);
	}
	*service = made;
	return 0;
}

int service_need_errpipe(struct service *service)
{
	if (service->errpipe == NULL)
		service->errpipe = service_make_errpipe(service);
	return service->errpipe != NULL ? 0 : -1;
}

static void service_unstarve(struct service *service)
{
	struct service **link = &service->context->starved;

	while (*link != NULL && *link != service)
		link = &(*link)->starved_next;
	if (*link != NULL)
		*link = service->starved_next;
	service->starved = false;
}

/* The socket of a program that runs is left where keep_busy says so. */
static void service_close(struct service *service, bool keep_busy)
{
	for (size_t i = 0; service->listeners != NULL && i < service->conf->socket_count; i++) {
		struct listener *listener = &service->listeners[i];
		const struct service_group *group = listener->owner;

		if (listener->conf == NULL || (keep_busy && group->busy != 0))
			continue;
		if (listener->held != 0)
			service_hold(service->context, listener, 0);
		listener_close(listener);
	}
}

void service_stop(struct service *service)
{
	service->stopped = true;
	loop_timer_stop(service->context->loop, &service->throttle);
	service_close(service, true);
	for (size_t i = 0; i < service->group_count; i++)
		service->groups[i].watched = false;
}

void service_free(struct service *service)
{
	loop_timer_stop(service->context->loop, &service->throttle);
	service_close(service, false);
	service_unstarve(service);
	service_sockets_free(&(struct service_sockets){.listeners = service->listeners,
		.groups = service->groups,
		.group_count = service->group_count});
	errpipe_free(service->errpipe);
	limit_free(service->sources);
	report_subject_free(service->report);
	free(service);
}

size_t service_open_count(const struct service *service)
{
	size_t open = 0;

	for (size_t i = 0; i < service->conf->socket_count; i++)
		open += service->listeners[i].state == LISTENER_OPEN ||
			service->listeners[i].state == LISTENER_COVERED;
	return open;
}

/* Opens what is closed. Returns how many are open then. */
static size_t service_open(struct service *service)
{
	struct error error;

	for (size_t i = 0; i < service->conf->socket_count; i++) {
		struct listener *listener = &service->listeners[i];

		if (listener->state != LISTENER_CLOSED ||
			(service->draining && !listener_is_given(listener)))
			continue;
		if (listener_open(listener, &error) != 0)
			service_open_failed(listener, &error);
	}
	service_update_watch(service);
	return service_open_count(service);
}

size_t service_start(struct service *service)
{
	service->stopped = false;
	return service_open(service);
}

/* What a wait program has left, set right or opened anew before it is watched again. */
static void service_recover(struct service *service)
{
	struct error error;

	for (size_t i = 0; i < service->group_count; i++) {
		struct service_group *group = &service->groups[i];

		for (size_t j = 0; group->wait && group->busy == 0 && j < group->count; j++) {
			if (listener_recover(&group->listeners[j], &error) != 0)
				service_open_failed(&group->listeners[j], &error);
		}
	}
}

void service_drain(struct service *service, bool draining)
{
	if (service->stopped || service->draining == draining)
		return;
	service->draining = draining;
	if (draining) {
		service_update_watch(service);
	} else {
		service_recover(service);
		service_open(service);
	}
	report_state(service->report, service_state_name(service_state(service)), 0);
}

void service_starve(struct service *service)
{
	struct service_context *context = service->context;
	struct service **link = &context->starved;

	if (service->starved)
		return;
	while (*link != NULL) /* who has waited longest is woken first */
		link = &(*link)->starved_next;
	*link = service;
	service->starved = true;
	service->starved_next = NULL;
	context->starved_cb(context);
}

void service_wake_starved(struct service_context *context)
{
	struct service *service;

	while ((service = context->starved) != NULL) {
		context->starved = service->starved_next;
		service->starved = false;
		service_update_watch(service);
	}
}

void service_note_success(struct service *service)
{
	service->failures = 0;
	service->throttle_ns = 0;
}

void service_note_idle_run(struct service *service)
{
	if (!service->stopped && service->throttle.slot == 0)
		loop_timer_start(
			service->context->loop, &service->throttle, clock_now_ns() + IDLE_RUN_NS);
}

void service_note_failure(struct service *service)
{
	/* starts that were under way when the pause began do not lengthen it */
	if (service->stopped || service->throttle.slot != 0 || ++service->failures < THROTTLE_AFTER)
		return;
	service->throttle_ns =
		service->throttle_ns == 0 ? THROTTLE_FIRST_NS : service->throttle_ns * 2;
	if (service->throttle_ns > THROTTLE_LAST_NS)
		service->throttle_ns = THROTTLE_LAST_NS;
	if (loop_timer_start(service->context->loop, &service->throttle,
		    clock_now_ns() + service->throttle_ns) == 0)
		report_state(service->report, service_state_name(SERVICE_THROTTLED),
			service->throttle_ns / CLOCK_NS_PER_MS);
}

/* The failed step of a program that never ran, with the object that it was about. */
static void service_report_failure(struct service *service, const struct child *child)
{
	const struct conf_service *conf = service->conf;
	enum step step = (enum step)child->failure->step;
	struct report_failure failure = {
		.peer = &child->peer,
		.pid = child->pid,
		.step = step_name(step),
		.code = child->failure->code,
	};

	if (step == STEP_EXEC)
		failure.path = conf->path;
	else if (step == STEP_DIRECTORY)
		failure.path = conf->directory;
	else if (step == STEP_ROOT)
		failure.path = conf->root;
	report_error(service->report, &failure);
}

void service_reaped(
	struct service *service, struct child *child, int status, const struct rusage *usage)
{
	struct service_group *group = child->detail;
	int64_t elapsed_ns = clock_now_ns() - child->started_ns;

	service_deadline_stop(child);
	service->running--;
	if (group == NULL)
		limit_release(service->sources, &child->peer);
	if (child->stuck) {
		service_note_failure(service);
	} else if (child->failure->step != STEP_OK) {
		service_report_failure(service, child);
		service_note_failure(service);
	} else {
		if (child->failure->ready_ns > 0)
			report_started(
				service->report, child->failure->ready_ns - child->started_ns);
		report_exit(service->report,
			&(struct report_session){
				.id = child->id, .peer = &child->peer, .pid = child->pid},
			status, usage, elapsed_ns);
		if (group == NULL)
			service_note_success(service);
	}
	if (group != NULL) {
		service_wait_end(group, child, status);
		service_release(service->context, child->pid);
	}
	if (service->running == 0 && service->errpipe != NULL)
		errpipe_idle(service->errpipe);
	service_update_watch(service);
}

void service_started(struct service *service, int64_t took_ns)
{
	report_started(service->report, took_ns);
}

void service_stuck(struct service *service, pid_t pid)
{
	struct child *child = children_find(service->context->children, pid);

	if (child != NULL)
		child->stuck = true;
	report_error(service->report, &(struct report_failure){.pid = pid,
					      .step = "start",
					      .text = "stuck before exec for 5 s; killed",
					      .path = service->conf->path});
}
