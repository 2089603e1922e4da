/*
 * super_restore: from what a superd before this one has handed over to a running superd.
 *
 * Up to the end of super_restore() and the opening of the listeners nothing is done that cannot be
 * undone by going back to the old program: no descriptor of the state is closed, nobody is
 * accepted, nothing is reaped.
 */
#include "config.h"
#include "superd/super_private.h"

#include "superd/clock.h"
#include "superd/errpipe.h"
#include "superd/listener_change.h"
#include "superd/pidfile.h"
#include "superd/sockdiag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* A service that the configuration has no more, while programs of it run. */
struct super_orphan {
	struct super_orphan *next;
	struct conf_service conf;
	char name[];
};

/* On the way back the configuration is the same one as before. */
static void restore_process(struct super *super, const struct upgrade_arrival *arrival)
{
	const struct state *state = &arrival->state;
	bool same = arrival->role == UPGRADE_BACK;

	super->started_ns = state->started_ns;
	super->generation = (uint64_t)state->generation + (same ? 0 : 1);
	if (same)
		super->loaded_wall_ns = state->loaded_wall_ns;
	super->context.last_id = (uint64_t)state->last_id;
	report_set_level(super->context.report, state->log_level, super->conf->log.level);
}

void super_restore_limit(struct rlimit *open_files, const struct state *state)
{
	open_files->rlim_cur =
		state->open_files_soft < 0 ? RLIM_INFINITY : (rlim_t)state->open_files_soft;
	open_files->rlim_max =
		state->open_files_hard < 0 ? RLIM_INFINITY : (rlim_t)state->open_files_hard;
}

static int restore_pid_file(const struct state *state, struct error *error)
{
	struct stat status;

	if (state->pid_fd >= 0 && (fstat(state->pid_fd, &status) != 0 || !S_ISREG(status.st_mode)))
		return error_set(error, 0, "descriptor %d is no pid file", state->pid_fd);
	return 0;
}

/* Stopped, and only to count and to name the programs that are left. */
static struct service *restore_orphan(
	struct super *super, const struct state_service *entry, struct error *error)
{
	size_t length = strlen(entry->name) + 1;
	struct super_orphan *orphan = calloc(1, sizeof(*orphan) + length);
	struct log_sink *sink;
	struct service *service;

	if (orphan == NULL) {
		error_set(error, ENOMEM, "service %s", entry->name);
		return NULL;
	}
	memcpy(orphan->name, entry->name, length);
	orphan->conf = (struct conf_service){
		.name = orphan->name,
		.enabled = true,
		.stderr_to = STDERR_LOG,
		.log = super->conf->log,
		.limits = {.instances = 1,
			.sources = {.burst = 1, .source_prefix4 = 32, .source_prefix6 = 64}},
	};
	orphan->next = super->orphans;
	super->orphans = orphan;
	if (super_open_sink(super, &orphan->conf.log, &sink, error) != 0 ||
		service_new(&super->context, &orphan->conf, sink, &service, error) != 0)
		return NULL;
	service_list_retire(&super->services, service);
	return service;
}

/* Whether anything of the state is a program of the service in that place. */
static bool state_has_programs(const struct state *state, size_t place)
{
	for (size_t i = 0; i < state->child_count; i++) {
		if ((size_t)state->children[i].service == place)
			return true;
	}
	return false;
}

/* What a service of the new configuration takes over from one of the same name; from a retired one
   that comes back, only what it counts. */
static int restore_service(
	struct service *service, const struct state_service *entry, struct error *error)
{
	struct loop *loop = service->context->loop;

	report_subject_restore(service->report, &entry->counts);
	limit_import(service->sources, &entry->sources, clock_now_ns());
	if (entry->retired)
		return 0;
	service->paused = entry->paused;
	service->draining = entry->draining;
	service->failures = (unsigned)entry->failures;
	service->throttle_ns = entry->throttle_ns;
	if (entry->throttle_due_ns > 0 &&
		loop_timer_start(loop, &service->throttle, entry->throttle_due_ns) != 0)
		return error_set(error, ENOMEM, "service %s", entry->name);
	return 0;
}

/*
 * The service of the configuration that the state has in that place: one that was retired comes
 * back. A state with two of one name, which an older superd may hand over, has the other one
 * first: then NULL.
 */
static struct service *restore_find_service(
	struct super *super, const struct state *state, struct service *const *places, size_t place)
{
	const struct state_service *entry = &state->services[place];
	struct service *service = service_list_find(&super->services, entry->name);

	for (size_t i = 0; entry->retired && service != NULL && i < place; i++) {
		if (places[i] == service)
			return NULL;
	}
	return service;
}

/* The services in the order of the state: what its children count by. */
static int restore_services(struct super *super, const struct state *state, struct service **places,
	struct error *error)
{
	for (size_t i = 0; i < state->service_count; i++) {
		const struct state_service *entry = &state->services[i];
		struct service *service = restore_find_service(super, state, places, i);

		if (service != NULL && restore_service(service, entry, error) != 0)
			return -1;
		if (service == NULL && state_has_programs(state, i)) {
			service = restore_orphan(super, entry, error);
			if (service == NULL)
				return -1;
			report_subject_restore(service->report, &entry->counts);
		}
		places[i] = service;
	}
	return 0;
}

/* What running programs write to has to be read, whatever the configuration says by now. */
static int restore_pipes(
	const struct state *state, struct service *const *places, struct error *error)
{
	for (size_t i = 0; i < state->service_count; i++) {
		const struct errpipe_snapshot *pipe = &state->services[i].errpipe;

		if (places[i] == NULL || pipe->read_fd < 0)
			continue;
		if (service_need_errpipe(places[i]) != 0)
			return error_set(error, ENOMEM, "%s", state->services[i].name);
		if (errpipe_import(places[i]->errpipe, pipe, error) != 0)
			return -1;
	}
	return 0;
}

/* The pipe of a service whose last program has ended in the last second. */
static void restore_idle_pipes(const struct state *state, struct service *const *places)
{
	for (size_t i = 0; i < state->service_count; i++) {
		struct service *service = places[i];

		if (service != NULL && service->errpipe != NULL && service->running == 0)
			errpipe_idle(service->errpipe);
	}
}

/* Whether the process is a child that nobody has reaped; it may have ended. */
static bool child_is_ours(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void restore_child(
	const struct state_child *entry, struct child *child, struct service *service)
{
	child->pid = entry->pid;
	child->id = (uint64_t)entry->id;
	child->started_ns = entry->started_ns;
	child->peer = entry->peer;
	child->local = entry->local;
	child->cookie = (uint64_t)entry->cookie;
	child->active_ns = entry->active_ns;
	child->ends_ns = entry->ends_ns;
	child->idle_ns = entry->idle_ns;
	child->bound = (unsigned)entry->bound;
	child->overdue = entry->overdue;
	child->stuck = entry->stuck;
	child->failure->step = entry->failed_step;
	child->failure->code = entry->failed_code;
	child->failure->ready_ns = entry->ready_ns;
	children_add(service->context->children, child);
	if (entry->sentenced)
		children_sentence(service->context->children, child);
	service_adopt(
		service, child, entry->waits ? entry->group : NULL, entry->mark_ns, entry->due_ns);
}

static int restore_children(struct super *super, const struct state *state,
	struct service *const *places, struct error *error)
{
	struct service_context *context = &super->context;

	for (size_t i = 0; i < state->child_count; i++) {
		const struct state_child *entry = &state->children[i];
		struct child *child;

		if (!child_is_ours(entry->pid)) {
			report_problem(context->report, LEVEL_ERROR, "upgrade",
				"a program of the state is no child of superd");
			continue;
		}
		if (entry->cookie != 0 && context->sockdiag == NULL &&
			sockdiag_new(&context->sockdiag, error) != 0)
			return -1;
		child = children_prepare(context->children);
		if (child == NULL)
			return error_set(error, ENOMEM, "the programs");
		restore_child(entry, child, places[entry->service]);
	}
	return 0;
}

static int entry_compare(const void *a, const void *b)
{
	int one = ((const struct state_listener *)a)->fd;
	int other = ((const struct state_listener *)b)->fd;

	return (one > other) - (one < other);
}

/* In the order of the configuration, by which they are asked for; later they are looked for. */
static int restore_listeners(struct super *super, struct state *state, struct error *error)
{
	for (size_t i = 0; i < state->listener_count; i++) {
		const struct state_listener *entry = &state->listeners[i];

		if (inherit_add_used(&super->given, entry->fd, entry->lent) != 0)
			return error_set(error, ENOMEM, "%s", entry->endpoint);
	}
	qsort(state->listeners, state->listener_count, sizeof(*state->listeners), entry_compare);
	return 0;
}

int super_restore(struct super *super, struct error *error)
{
	struct upgrade_arrival *arrival = super->options->arrival;
	struct state *state = &arrival->state;
	struct service **places = calloc(state->service_count + 1, sizeof(struct service *));
	int result;

	if (places == NULL) {
		error_set(error, ENOMEM, "the services");
		return EX_OSERR;
	}
	restore_process(super, arrival);
	result = restore_services(super, state, places, error);
	if (result == 0 && arrival->role != UPGRADE_TRY) {
		result = restore_pid_file(state, error);
		if (result == 0)
			result = restore_listeners(super, state, error);
		if (result == 0)
			result = restore_pipes(state, places, error);
		if (result == 0)
			result = restore_children(super, state, places, error);
		restore_idle_pipes(state, places);
	}
	free(places);
	return result == 0 ? 0 : EX_OSERR;
}

/* The listener of the state that was given as descriptor number; they are sorted. */
static const struct state_listener *restore_find(const struct state *state, int number)
{
	const struct state_listener key = {.fd = number};

	return bsearch(&key, state->listeners, state->listener_count, sizeof(key), entry_compare);
}

/*
 * A listener that took over the socket of entry. One that a wait program has is left to it, as it
 * is; another one gets what the configuration says by now.
 */
static int restore_socket(struct service *service, struct listener *listener,
	const struct state_listener *entry, struct error *error)
{
	const struct service_group *group = listener->owner;

	if (entry->holder != 0)
		service_adopt_socket(service, listener, entry->holder);
	if (listener->held != 0 || group->busy != 0 ||
		(int64_t)listener_digest(listener) == entry->digest)
		return 0;
	listener_set_blocking(listener);
	return listener_adapt(listener, listener->service, error);
}

/* Whether the program that the group was given to has one of its sockets. */
static bool restore_has_socket(const struct state *state, const struct service_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		int fd = group->listeners[i].fd;
		const struct state_listener *entry = fd >= 0 ? restore_find(state, fd) : NULL;

		if (entry != NULL && entry->holder == group->busy)
			return true;
	}
	return false;
}

/* A program that serves sockets which the configuration has no more does not keep these busy. */
static void restore_groups(const struct service *service, const struct state *state)
{
	for (size_t i = 0; i < service->group_count; i++) {
		struct service_group *group = &service->groups[i];

		if (group->busy != 0 && !restore_has_socket(state, group))
			service_adopt_lost(group);
	}
}

static int restore_sockets(struct super *super, const struct state *state, struct error *error)
{
	for (size_t i = 0; i < super->services.count; i++) {
		struct service *service = super->services.items[i];

		restore_groups(service, state);
		for (size_t j = 0; j < service->conf->socket_count; j++) {
			struct listener *listener = &service->listeners[j];
			const struct state_listener *entry =
				listener->fd >= 0 ? restore_find(state, listener->fd) : NULL;

			if (entry != NULL && restore_socket(service, listener, entry, error) != 0)
				return -1;
		}
	}
	return 0;
}

/* The name of a unix socket that no service has any more, if it is that socket's still. */
static void restore_remove_name(
	const struct inherit_socket *socket, const struct state_listener *entry)
{
	const char *path = socket->addr.u.un.sun_path;
	struct stat status;

	if (socket->lent || addr_family(&socket->addr) != AF_UNIX || path[0] == '\0' ||
		entry == NULL || lstat(path, &status) != 0)
		return;
	if ((int64_t)status.st_dev == entry->path_device &&
		(int64_t)status.st_ino == entry->path_inode)
		unlink(path);
}

static void restore_remove_names(struct super *super, const struct state *state)
{
	for (size_t i = 0; i < super->given.count; i++) {
		const struct inherit_socket *socket = &super->given.sockets[i];

		if (socket->fd >= 0)
			restore_remove_name(socket, restore_find(state, socket->number));
	}
}

/* Standard error of a service that is gone, and none of whose programs runs any more. */
static void restore_close_pipes(const struct super *super, const struct state *state)
{
	for (size_t i = 0; i < state->service_count; i++) {
		const struct state_service *entry = &state->services[i];

		if (entry->errpipe.read_fd < 0 ||
			service_list_find(&super->services, entry->name) != NULL ||
			service_list_find_retired(&super->services, entry->name) != NULL)
			continue;
		close(entry->errpipe.read_fd);
		close(entry->errpipe.write_fd);
	}
}

int super_restore_end(struct super *super, struct error *error)
{
	const struct state *state = &super->options->arrival->state;
	int status;

	if (restore_sockets(super, state, error) != 0)
		return EX_OSERR;
	status = super_control_restore(super, state->control_path, state->control_fd, error);
	if (status != 0)
		return status;
	restore_remove_names(super, state);
	restore_close_pipes(super, state);
	inherit_close_rest(&super->given, NULL, NULL);
	if (state->pid_fd != super->pid_fd)
		pidfile_remove(state->pid_path, state->pid_fd);
	return 0;
}

void super_orphans_free(struct super *super)
{
	struct super_orphan *orphan;

	while ((orphan = super->orphans) != NULL) {
		super->orphans = orphan->next;
		free(orphan);
	}
}
