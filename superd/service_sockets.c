/*
 * service_sockets: the listeners of a service, cut into groups.
 */
#include "config.h"
#include "superd/service_private.h"

#include <stdlib.h>

/* Whether socket b belongs to the group that began with socket a. */
static bool sockets_together(const struct conf_socket *a, const struct conf_socket *b)
{
	return a->type != SOCK_DGRAM && b->type != SOCK_DGRAM;
}

static void sockets_place(struct service *service, const struct conf_service *conf,
	const struct conf_socket *socket, struct service_sockets *sockets)
{
	static const struct listener_events events = {
		.ready_cb = service_ready,
		.opened_cb = service_opened,
		.failed_cb = service_open_failed,
	};
	struct listener *listener = &sockets->listeners[sockets->count++];
	struct service_group *group = &sockets->groups[sockets->group_count];

	if (sockets->group_count == 0 || !sockets_together(group[-1].listeners[0].conf, socket)) {
		sockets->group_count++;
		group->service = service;
		group->wait = socket->wait;
		group->listeners = listener;
	} else {
		group--;
	}
	listener_init(listener, conf, socket, &events, service->context->loop, group);
	listener->given = service->context->given;
	group->count++;
}

/* All that are accepted on or handed over together, then each datagram socket alone. */
int service_sockets_make(
	struct service *service, const struct conf_service *conf, struct service_sockets *sockets)
{
	*sockets = (struct service_sockets){
		.listeners = calloc(conf->socket_count + 1, sizeof(*sockets->listeners)),
		.groups = calloc(conf->socket_count + 1, sizeof(*sockets->groups)),
	};
	if (sockets->listeners == NULL || sockets->groups == NULL)
		return -1;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < conf->socket_count; i++) {
			if ((conf->sockets[i].type == SOCK_DGRAM) == (pass == 1))
				sockets_place(service, conf, &conf->sockets[i], sockets);
		}
	}
	for (size_t i = 0; i < sockets->group_count; i++) {
		if (sockets->groups[i].wait &&
			service_wait_init(&sockets->groups[i], conf->name) != 0)
			return -1;
	}
	return 0;
}

void service_sockets_free(struct service_sockets *sockets)
{
	for (size_t i = 0; i < sockets->group_count; i++) {
		free(sockets->groups[i].fds);
		free(sockets->groups[i].names);
	}
	free(sockets->groups);
	free(sockets->listeners);
	*sockets = (struct service_sockets){0};
}
