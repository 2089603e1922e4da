/*
 * service_launch: from a verdict to a live child: environment, descriptors, spawn, table, line.
 */
#include "config.h"
#include "superd/service_private.h"

#include "superd/errpipe.h"

#include <errno.h>

int service_prepare(struct service *service, struct spawn_slot **slot, struct child **child)
{
	struct service_context *context = service->context;

	*slot = spawn_slot_take(context->spawn, service);
	*child = *slot != NULL ? children_prepare(context->children) : NULL;
	if (*child != NULL)
		return 0;
	if (*slot != NULL)
		spawn_slot_cancel(context->spawn, *slot);
	service_starve(service);
	return -1;
}

void service_unprepare(struct service *service, struct spawn_slot *slot, struct child *child)
{
	children_cancel(service->context->children, child);
	spawn_slot_cancel(service->context->spawn, slot);
}

/* Where the program's standard error goes: a descriptor, or -1 for the connection itself, which a
   program that gets the listening sockets does not have. */
static int launch_stderr(struct service *service, bool listening)
{
	enum conf_stderr to = service->conf->stderr_to;
	struct error error;
	int fd;

	if (to == STDERR_CLIENT && !listening)
		return -1;
	if (to == STDERR_NULL)
		return service->context->null_fd;
	fd = errpipe_use(service->errpipe, &error);
	if (fd >= 0)
		return fd;
	report_error(service->report,
		&(struct report_failure){
			.step = "stderr", .code = error.code, .path = service->conf->path});
	return service->context->null_fd;
}

/* What is descriptor 0 of the program: of a group the first socket, whoever was ready. */
static const struct conf_socket *launch_socket(const struct service_launch *launch)
{
	const struct service_group *group = launch->group;

	for (size_t i = 0; group != NULL && i < group->count; i++) {
		if (group->listeners[i].fd == group->fds[0])
			return group->listeners[i].conf;
	}
	return launch->listener->conf;
}

static int launch_environment(const struct service *service, const struct service_launch *launch)
{
	const struct conf_socket *socket = launch_socket(launch);
	struct childenv_facts facts = {
		.conf = service->conf,
		.type = socket->type,
		.family = addr_family(&socket->addr),
		.peer = &launch->child->peer,
		.local = launch->local,
		.id = launch->child->id,
	};

	if (launch->group != NULL) {
		facts.listen_names = launch->group->names;
		facts.listen_count = launch->slot->request.fd_count;
	} else {
		facts.source_connections = limit_running(service->sources, &launch->child->peer);
	}
	return childenv_build(&launch->slot->env, &facts);
}

static int launch_fail(
	struct service *service, const struct service_launch *launch, const char *step)
{
	report_error(service->report, &(struct report_failure){.peer = &launch->child->peer,
					      .step = step,
					      .code = errno,
					      .path = service->conf->path});
	children_cancel(service->context->children, launch->child);
	if (service->running == 0 && service->errpipe != NULL)
		errpipe_idle(service->errpipe);
	service_starve(service);
	return -1;
}

/* Everything that can fail before the process exists. */
static int launch_prepare(struct service *service, const struct service_launch *launch)
{
	struct spawn_request *request = &launch->slot->request;

	launch->slot->fd = launch->fd;
	launch->slot->close_fd = launch->group == NULL ? launch->fd : -1;
	request->conf = service->conf;
	request->listening = launch->group != NULL;
	if (launch->group == NULL) {
		request->fd_count = 1;
		request->fds = &launch->slot->fd;
	} /* otherwise the group has filled both */
	request->stderr_fd = launch_stderr(service, request->listening);
	request->failure = launch->child->failure;
	if (launch_environment(service, launch) != 0)
		return -1;
	return launch->group == NULL ? limit_commit(service->sources, &launch->child->peer,
					       launch->child->started_ns)
				     : 0;
}

int service_launch(struct service *service, const struct service_launch *launch)
{
	struct service_context *context = service->context;
	struct child *child = launch->child;
	pid_t pid;

	child->owner = service;
	child->detail = launch->group;
	child->id = ++context->last_id;
	child->started_ns = loop_now_ns(context->loop);
	if (launch_prepare(service, launch) != 0) {
		spawn_slot_cancel(context->spawn, launch->slot);
		return launch_fail(service, launch, "prepare");
	}
	pid = spawn_start(context->spawn, launch->slot, child->started_ns);
	if (pid < 0) {
		if (launch->group == NULL)
			limit_release(service->sources, &child->peer);
		return launch_fail(service, launch, "clone");
	}
	child->pid = pid;
	children_add(context->children, child);
	service_deadline_start(child);
	service->running++;
	report_accept(service->report,
		&(struct report_session){.id = child->id,
			.peer = &child->peer,
			.local = launch->local,
			.endpoint = launch->listener->conf->text,
			.pid = pid},
		service->running);
	return 0;
}
