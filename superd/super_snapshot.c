/*
 * super_snapshot: a running superd as plain data.
 */
#include "config.h"
#include "superd/super_private.h"

#include "superd/errpipe.h"
#include "superd/listener_change.h"
#include "superd/service_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A snapshot being taken. */
struct snapshot {
	struct super *super;
	struct state *state;
	bool failed; /* memory is out */
};

static char *snapshot_text(struct snapshot *snapshot, const char *text)
{
	char *copy = strdup(text != NULL ? text : "");

	snapshot->failed |= copy == NULL;
	return copy;
}

/* RLIM_INFINITY is -1 there. */
static int64_t snapshot_limit(rlim_t limit)
{
	return limit == RLIM_INFINITY || limit > INT64_MAX ? -1 : (int64_t)limit;
}

static void snapshot_process(struct snapshot *snapshot)
{
	const struct super *super = snapshot->super;
	struct state *state = snapshot->state;

	state->version = STATE_VERSION;
	state->pid = getpid();
	state->exe = snapshot_text(snapshot, super->options->exe);
	state->directory = snapshot_text(snapshot, super->options->directory);
	state->left_ns = loop_now_ns(super->context.loop);
	state->started_ns = super->started_ns;
	state->generation = (int64_t)super->generation;
	state->loaded_wall_ns = super->loaded_wall_ns;
	state->log_level = report_forced_level(super->context.report);
	state->last_id = (int64_t)super->context.last_id;
	state->open_files_soft = snapshot_limit(super->open_files.rlim_cur);
	state->open_files_hard = snapshot_limit(super->open_files.rlim_max);
	state->pid_path = snapshot_text(snapshot, super->pid_path);
	state->pid_fd = super->pid_fd;
	state->control_path = snapshot_text(snapshot, control_path(super->control));
	state->control_fd = control_fd(super->control);
	state->asker_fd = -1;
	conf_export(super->conf, &state->conf);
}

static void snapshot_listeners(struct snapshot *snapshot, const struct service *service)
{
	for (size_t i = 0; i < service->conf->socket_count; i++) {
		const struct listener *listener = &service->listeners[i];
		struct state *state = snapshot->state;

		if (listener->fd < 0)
			continue;
		state->listeners[state->listener_count++] = (struct state_listener){
			.endpoint = snapshot_text(snapshot, listener->conf->text),
			.fd = listener->fd,
			.lent = listener->lent,
			.digest = (int64_t)listener_digest(listener),
			.holder = service_holder(listener),
			.path_device = (int64_t)listener->path_device,
			.path_inode = (int64_t)listener->path_inode,
		};
	}
}

static void snapshot_service(struct snapshot *snapshot, struct service *service, bool retired)
{
	struct state *state = snapshot->state;
	struct state_service *entry = &state->services[state->service_count];

	service->place = (int)state->service_count++;
	entry->name = snapshot_text(snapshot, service->conf->name);
	entry->retired = retired;
	entry->paused = service->paused;
	entry->draining = service->draining;
	entry->failures = (int)service->failures;
	entry->throttle_ns = service->throttle_ns;
	entry->throttle_due_ns = service->throttle.slot != 0 ? service->throttle.due_ns : 0;
	entry->counts = *report_subject_counts(service->report);
	entry->errpipe = (struct errpipe_snapshot){.read_fd = -1, .write_fd = -1};
	if (service->errpipe != NULL)
		errpipe_export(service->errpipe, &entry->errpipe);
	if (limit_export(service->sources, loop_now_ns(service->context->loop), &entry->sources) !=
		0)
		snapshot->failed = true;
	snapshot_listeners(snapshot, service);
}

static void snapshot_child(void *owner, struct child *child)
{
	struct snapshot *snapshot = owner;
	const struct service *service = child->owner;
	const struct service_group *group = child->detail;
	struct state *state = snapshot->state;

	state->children[state->child_count++] = (struct state_child){
		.pid = child->pid,
		.service = service->place,
		.id = (int64_t)child->id,
		.started_ns = child->started_ns,
		.waits = group != NULL,
		.group = snapshot_text(snapshot,
			group != NULL && group->count > 0 ? group->listeners[0].conf->text : ""),
		.peer = child->peer,
		.local = child->local,
		.cookie = (int64_t)child->cookie,
		.active_ns = child->active_ns,
		.ends_ns = child->ends_ns,
		.idle_ns = child->idle_ns,
		.bound = (int)child->bound,
		.due_ns = child->deadline.slot != 0 ? child->deadline.due_ns : 0,
		.mark_ns = group != NULL ? group->mark_ns : 0,
		.overdue = child->overdue,
		.stuck = child->stuck,
		.sentenced = child->sentenced,
		.failed_step = child->failure->step,
		.failed_code = child->failure->code,
		.ready_ns = child->failure->ready_ns,
	};
}

int super_snapshot(struct super *super, struct state *state, struct error *error)
{
	struct snapshot snapshot = {.super = super, .state = state};
	const struct service_list *list = &super->services;
	size_t services = list->count;
	size_t sockets = 0;

	for (struct service *at = list->retired; at != NULL; at = at->retired_next) {
		services++;
		sockets += at->conf->socket_count; /* a sweep may be due that closes them */
	}
	for (size_t i = 0; i < list->count; i++)
		sockets += list->items[i]->conf->socket_count;
	*state = (struct state){0};
	state->services = calloc(services + 1, sizeof(*state->services));
	state->listeners = calloc(sockets + 1, sizeof(*state->listeners));
	state->children =
		calloc(children_count(super->context.children) + 1, sizeof(*state->children));
	if (state->services == NULL || state->listeners == NULL || state->children == NULL)
		return error_set(error, ENOMEM, "the state");
	snapshot_process(&snapshot);
	for (size_t i = 0; i < list->count; i++)
		snapshot_service(&snapshot, list->items[i], false);
	for (struct service *at = list->retired; at != NULL; at = at->retired_next)
		snapshot_service(&snapshot, at, true);
	children_each(super->context.children, snapshot_child, &snapshot);
	return snapshot.failed ? error_set(error, ENOMEM, "the state") : 0;
}
