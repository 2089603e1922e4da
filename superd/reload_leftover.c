/*
 * reload_leftover: a list of listeners that nobody owns but the program that holds them.
 */
#include "config.h"
#include "superd/reload_leftover.h"

#include "superd/service_change.h"

#include <stdlib.h>

/*
 * The name of a unix socket goes at once, so that no more clients come, and another socket can
 * have it: that one needs no leftover.
 */
static bool leftover_is_needed(
	const struct service_context *context, const struct listener *listener)
{
	pid_t pid = service_holder(listener);

	return listener->state == LISTENER_OPEN && listener->path_inode == 0 && pid != 0 &&
	       children_find(context->children, pid) != NULL;
}

bool reload_leftover_take(struct reload_leftover **leftovers, struct service_context *context,
	struct listener *listener)
{
	struct reload_leftover *leftover;

	if (!leftover_is_needed(context, listener))
		return false;
	leftover = calloc(1, sizeof(*leftover));
	if (leftover == NULL)
		return false;
	listener_init(&leftover->listener, listener->service, listener->conf, listener->events,
		listener->loop, NULL);
	service_hand_over(context, listener, &leftover->listener);
	leftover->next = *leftovers;
	*leftovers = leftover;
	return true;
}

void reload_leftover_sweep(struct reload_leftover **leftovers)
{
	struct reload_leftover **link = leftovers;
	struct reload_leftover *leftover;

	while ((leftover = *link) != NULL) {
		if (leftover->listener.state != LISTENER_CLOSED) {
			link = &leftover->next;
			continue;
		}
		*link = leftover->next;
		free(leftover);
	}
}

bool reload_leftover_uses(const struct reload_leftover *leftovers, const struct conf *conf)
{
	const struct conf_service *first = conf->services;

	while (leftovers != NULL &&
		(leftovers->listener.service < first ||
			leftovers->listener.service >= first + conf->service_count))
		leftovers = leftovers->next;
	return leftovers != NULL;
}

void reload_leftover_end(struct reload_leftover **leftovers, struct service_context *context)
{
	for (struct reload_leftover *at = *leftovers; at != NULL; at = at->next)
		service_discard(context, &at->listener);
	reload_leftover_sweep(leftovers);
}
