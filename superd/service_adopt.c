/*
 * service_adopt: programs that a superd before this one has started.
 */
#include "config.h"
#include "superd/service_private.h"

#include <string.h>

/*
 * The group of sockets that began with endpoint. The streams of a service are one group, whatever
 * it begins with now. NULL where the service has no such sockets any more, or another program has
 * them, or endpoint is "" because the program lost its sockets before.
 */
static struct service_group *adopt_group(struct service *service, const char *endpoint)
{
	bool datagrams =
		strncmp(endpoint, "udp ", 4) == 0 || strncmp(endpoint, "unix-dgram ", 11) == 0;

	for (size_t i = 0; endpoint[0] != '\0' && i < service->group_count; i++) {
		struct service_group *group = &service->groups[i];
		const struct conf_socket *first = group->listeners[0].conf;

		if (!group->wait || group->busy != 0 || (first->type == SOCK_DGRAM) != datagrams)
			continue;
		if (!datagrams || strcmp(first->text, endpoint) == 0)
			return group;
	}
	return NULL;
}

void service_adopt(struct service *service, struct child *child, const char *group, int64_t mark_ns,
	int64_t due_ns)
{
	struct service_group *sockets = group != NULL ? adopt_group(service, group) : NULL;

	child->owner = service;
	child->detail = sockets;
	service->running++;
	if (sockets != NULL) {
		sockets->busy = child->pid;
		sockets->mark_ns = mark_ns;
	} else if (group != NULL) {
		child->detail = &service->gone;
	} else {
		limit_adopt(service->sources, &child->peer); /* out of memory: it counts less */
	}
	service_deadline_resume(child, due_ns);
}

void service_adopt_lost(struct service_group *group)
{
	struct service *service = group->service;
	struct child *child = children_find(service->context->children, group->busy);

	if (child != NULL)
		child->detail = &service->gone;
	group->busy = 0;
	service_group_refresh(group);
}

void service_adopt_socket(struct service *service, struct listener *listener, pid_t pid)
{
	struct service_group *group = listener->owner;

	if (group->busy == pid || children_find(service->context->children, pid) == NULL)
		return;
	service_hold(service->context, listener, pid);
	service_group_refresh(group);
}
