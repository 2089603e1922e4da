/*
 * service_change: prepare, swap, throw away.
 *
 * Wait programs that hold sockets keep them. A group that has one of the sockets of the program
 * of its own service is busy with it; any other socket that a program of another group has is
 * marked as held, and neither watched nor handed over until that program has ended.
 */
#include "config.h"
#include "superd/service_change.h"

#include "superd/conf_compare.h"
#include "superd/errpipe.h"
#include "superd/listener_change.h"
#include "superd/service_private.h"

#include <errno.h>
#include <stdlib.h>

/* An empty change of service to conf. */
static struct service_change *change_new(struct service *service, const struct conf_service *conf)
{
	struct service_change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return NULL;
	change->service = service;
	change->conf = conf;
	change->count = conf->socket_count;
	change->sources = calloc(conf->socket_count + 1, sizeof(struct listener *));
	if (change->sources == NULL) {
		free(change);
		return NULL;
	}
	return change;
}

static void change_free(struct service_change *change)
{
	free(change->sources);
	free(change);
}

int service_change_add(struct service_context *context, const struct conf_service *conf,
	struct log_sink *sink, struct service_change **change, struct error *error)
{
	struct service *service;
	struct service_change *made;

	if (service_new(context, conf, sink, &service, error) != 0)
		return -1;
	made = change_new(service, conf);
	if (made == NULL) {
		service_free(service);
		return error_set(error, ENOMEM, "service %s", conf->name);
	}
	made->listeners = service->listeners;
	made->groups = service->groups;
	made->group_count = service->group_count;
	*change = made;
	return 0;
}

/* The listeners to be. */
static int change_make_sockets(struct service_change *change)
{
	struct service *service = change->service;
	struct service_sockets sockets;

	/* one that was retired has no sockets that could stay */
	change->in_place =
		!service->stopped && conf_service_equal_sockets(change->was, change->conf);
	if (change->in_place) {
		change->listeners = service->listeners;
		return 0;
	}
	if (service_sockets_make(service, change->conf, &sockets) != 0) {
		service_sockets_free(&sockets);
		return -1;
	}
	change->listeners = sockets.listeners;
	change->groups = sockets.groups;
	change->group_count = sockets.group_count;
	return 0;
}

int service_change_to(struct service *service, const struct conf_service *conf,
	struct log_sink *sink, struct service_change **change, struct error *error)
{
	struct service_change *made = change_new(service, conf);

	if (made == NULL)
		goto out_of_memory;
	made->was = service->conf;
	if (change_make_sockets(made) != 0)
		goto out_of_memory;
	if (conf->stderr_to != STDERR_NULL && service->errpipe == NULL) {
		made->errpipe = service_make_errpipe(service);
		if (made->errpipe == NULL)
			goto out_of_memory;
	}
	made->sink = sink;
	*change = made;
	return 0;

out_of_memory:
	if (made != NULL)
		service_change_abort(made);
	log_sink_close(sink);
	return error_set(error, ENOMEM, "service %s", conf->name);
}

static void change_free_sockets(struct service_change *change)
{
	service_sockets_free(&(struct service_sockets){.listeners = change->listeners,
		.groups = change->groups,
		.group_count = change->group_count});
}

void service_change_abort(struct service_change *change)
{
	if (change->was == NULL) {
		service_free(change->service);
	} else {
		if (!change->in_place && change->listeners != NULL) {
			for (size_t i = 0; i < change->count; i++)
				listener_close(&change->listeners[i]);
			change_free_sockets(change);
		}
		errpipe_free(change->errpipe);
		log_sink_close(change->sink);
	}
	change_free(change);
}

pid_t service_holder(const struct listener *listener)
{
	const struct service_group *group = listener->owner;

	if (listener->held != 0)
		return listener->held;
	return group != NULL ? group->busy : 0;
}

void service_hand_over(struct service_context *context, struct listener *from, struct listener *to)
{
	pid_t pid = service_holder(from);

	service_hold(context, from, 0);
	listener_move(from, to);
	service_hold(context, to, pid);
}

void service_change_move(struct service_change *change)
{
	for (size_t i = 0; !change->in_place && i < change->count; i++) {
		if (change->sources[i] != NULL)
			service_hand_over(change->service->context, change->sources[i],
				&change->listeners[i]);
	}
}

/* Whether group is one of those that the service has now. */
static bool is_current_group(const struct service *service, const struct service_group *group)
{
	return group >= service->groups && group < service->groups + service->group_count;
}

/* A listener whose socket the service's own program has: its new group is busy with that. */
static void change_adopt_program(struct service_change *change, struct listener *listener)
{
	struct service *service = change->service;
	struct service_group *group = listener->owner;
	struct child *child = children_find(service->context->children, listener->held);

	if (child == NULL || child->owner != service)
		return;
	if (child->detail != group) {
		struct service_group *before = child->detail;

		if (group->busy != 0 || !is_current_group(service, before))
			return;
		group->busy = child->pid;
		group->mark_ns = before->mark_ns;
		child->detail = group;
	}
	service_hold(service->context, listener, 0);
}

/* Programs whose sockets are no more the service's. */
static void change_let_go(struct service *service)
{
	for (size_t i = 0; i < service->group_count; i++) {
		struct service_group *group = &service->groups[i];
		struct child *child = NULL;

		if (group->busy != 0)
			child = children_find(service->context->children, group->busy);
		if (child != NULL && child->detail == group)
			child->detail = &service->gone;
	}
}

static void change_swap_sockets(struct service_change *change)
{
	struct service *service = change->service;
	struct service_change had = {.listeners = service->listeners,
		.count = service->conf->socket_count,
		.groups = service->groups,
		.group_count = service->group_count};

	for (size_t i = 0; i < change->count; i++) {
		if (change->listeners[i].held != 0)
			change_adopt_program(change, &change->listeners[i]);
	}
	change_let_go(service);
	service->listeners = change->listeners;
	service->groups = change->groups;
	service->group_count = change->group_count;
	change->listeners = had.listeners;
	change->count = had.count;
	change->groups = had.groups;
	change->group_count = had.group_count;
}

/* Unwatched, and not tried again: nothing calls back for it any more. */
static void listener_silence(struct listener *listener)
{
	struct error ignored;

	listener_watch(listener, false, &ignored);
	loop_timer_stop(listener->loop, &listener->retry);
}

/* The sockets are where they belong; those that no program has are set right. */
static void change_set_blocking(struct service *service)
{
	struct error error;

	for (size_t i = 0; i < service->conf->socket_count; i++) {
		struct listener *listener = &service->listeners[i];

		if (service_holder(listener) == 0)
			listener_set_blocking(listener);
		/* it was draining when this was prepared, and is not any more */
		if (listener->state == LISTENER_CLOSED && !service->draining &&
			listener_open(listener, &error) != 0)
			service_open_failed(listener, &error);
	}
}

/* Everything of the service but its sockets' owners points to conf now. */
static void service_swap(
	struct service *service, const struct conf_service *conf, struct log_sink *sink)
{
	service->conf = conf;
	report_subject_set(service->report, conf, sink);
	if (limit_set_policy(service->sources, &conf->limits.sources))
		service->recount = true;
}

void service_keep(struct service *service, const struct conf_service *conf)
{
	for (size_t i = 0; i < conf->socket_count; i++) {
		struct listener *listener = &service->listeners[i];

		listener->conf = &conf->sockets[listener->conf - service->conf->sockets];
		listener->service = conf;
	}
	service_swap(service, conf, NULL);
}

void service_change_commit(struct service_change *change)
{
	struct service *service = change->service;

	if (change->was == NULL) {
		change_set_blocking(service);
		service->stopped = false;
		return;
	}
	if (change->errpipe != NULL)
		service->errpipe = change->errpipe;
	if (change->in_place) {
		service_keep(service, change->conf);
		report_subject_set(service->report, change->conf, change->sink);
		return;
	}
	service->stopped = false;
	change_swap_sockets(change);
	service_swap(service, change->conf, change->sink);
	change_set_blocking(service);
	for (size_t i = 0; i < change->count; i++)
		listener_silence(&change->listeners[i]);
}

void service_change_end(struct service_change *change)
{
	if (change->was != NULL && !change->in_place)
		change_free_sockets(change);
	change_free(change);
}

void service_retire(struct service *service)
{
	service->stopped = true;
	service->paused = false;
	service->draining = false;
	service->failures = 0;
	service->throttle_ns = 0;
	loop_timer_stop(service->context->loop, &service->throttle);
	for (size_t i = 0; i < service->conf->socket_count; i++)
		listener_silence(&service->listeners[i]);
	for (size_t i = 0; i < service->group_count; i++)
		service->groups[i].watched = false;
}

void service_discard(struct service_context *context, struct listener *listener)
{
	service_hold(context, listener, 0);
	listener_dismiss(listener);
}

void service_recount(struct service_context *context)
{
	struct children_cursor cursor = {0};
	const struct child *child;

	while ((child = children_next(context->children, &cursor)) != NULL) {
		struct service *service = child->owner;

		if (service->recount && child->detail == NULL)
			limit_adopt(service->sources, &child->peer);
	}
}
