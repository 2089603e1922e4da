/*
 * reload_leftover: sockets that the configuration has no more, while a wait program has them still.
 * superd keeps its own copy of each until that program ends: were the endpoint configured again
 * meanwhile, no other socket could be had for it.
 */
#ifndef SUPERD_RELOAD_LEFTOVER_H
#define SUPERD_RELOAD_LEFTOVER_H

#include "superd/listener.h"
#include "superd/service.h"

#include <stdbool.h>

struct reload_leftover {
	struct reload_leftover *next;
	struct listener listener; /* closed: it is needed no more */
};

/* Takes the socket of a listener, of a service that is retired or has others, where a running
   program has it; the listener is closed then. Returns whether it did. */
bool reload_leftover_take(struct reload_leftover **leftovers, struct service_context *context,
	struct listener *listener);

/* Frees those that are closed. */
void reload_leftover_sweep(struct reload_leftover **leftovers);

/* Whether one of them still points to conf. */
bool reload_leftover_uses(const struct reload_leftover *leftovers, const struct conf *conf);

/* Closes and frees all. */
void reload_leftover_end(struct reload_leftover **leftovers, struct service_context *context);

#endif
