/*
 * reload_commit: the swap, which cannot fail, and what follows it in its own time.
 *
 * Services that are kept say the same before and after: they are given the new configuration
 * afterwards, bit by bit. Sockets that are not needed any more are closed bit by bit, too; nobody
 * accepts on them since the swap.
 */
#include "config.h"
#include "superd/reload_private.h"

#include "superd/clock.h"

#include <errno.h>
#include <stdlib.h>

#define SWEEP_NS (100 * CLOCK_NS_PER_MS)

/* What the swap needs and may not be there. */
struct commit_room {
	struct reload_old *old;
	struct service **items;
	struct service **by_name;
	size_t count;
};

static struct service *item_service(const struct reload_item *item)
{
	return item->change != NULL ? item->change->service : item->service;
}

static int room_make(struct commit_room *room, const struct reload_plan *plan)
{
	*room = (struct commit_room){
		.old = calloc(1, sizeof(*room->old)),
		.items = calloc(plan->count + 1, sizeof(struct service *)),
		.by_name = calloc(plan->count + 1, sizeof(struct service *)),
	};
	if (room->old == NULL || room->items == NULL || room->by_name == NULL)
		return -1;
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->items[i].deed != RELOAD_REMOVE)
			room->items[room->count++] = item_service(&plan->items[i]);
	}
	service_list_sort(room->items, room->by_name, room->count);
	return 0;
}

static void room_free(struct commit_room *room)
{
	free(room->old);
	free(room->items);
	free(room->by_name);
}

/*
 * A retired service is in the configuration again. Where a start under way has kept what it had
 * from being closed, that is still of the configuration that it was last in: it is closed with
 * the rest of that one, for the configuration that goes now says nothing of it.
 */
static void commit_return(struct reload *reload, struct reload_item *item)
{
	service_list_take_back(reload->host.list, item->service);
	for (struct reload_old *old = reload->olds; old != NULL; old = old->next) {
		for (size_t i = 0; i < old->plan.count; i++) {
			struct reload_item *removed = &old->plan.items[i];

			if (removed->deed != RELOAD_REMOVE || removed->done ||
				removed->service != item->service)
				continue;
			*removed = *item;
			item->done = true;
		}
	}
}

static void commit_services(struct reload *reload)
{
	struct reload_plan *plan = &reload->plan;

	for (size_t i = 0; i < plan->count; i++) {
		if (plan->items[i].change != NULL)
			service_change_move(plan->items[i].change);
	}
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->items[i].change != NULL)
			service_change_commit(plan->items[i].change);
		else if (plan->items[i].deed == RELOAD_REMOVE)
			service_list_retire(reload->host.list, plan->items[i].service);
		if (plan->items[i].deed == RELOAD_ADD && plan->items[i].service != NULL)
			commit_return(reload, &plan->items[i]);
	}
}

/* Sources that were cut anew; then everything that is new or changed is watched. */
static void commit_watch(struct reload *reload)
{
	struct reload_plan *plan = &reload->plan;
	bool recount = false;

	for (size_t i = 0; i < plan->count; i++)
		recount |= plan->items[i].change != NULL && plan->items[i].change->service->recount;
	if (recount)
		service_recount(reload->host.context);
	for (size_t i = 0; i < plan->count; i++) {
		struct service *service = item_service(&plan->items[i]);

		if (plan->items[i].change == NULL)
			continue;
		service->recount = false;
		service_update_watch(service);
	}
}

static void commit_note(struct reload *reload, uint64_t generation)
{
	const size_t *counts = reload->plan.counts;

	reload->facts = (struct report_reload_facts){
		.generation = generation,
		.added = counts[RELOAD_ADD],
		.changed = counts[RELOAD_CHANGE],
		.removed = counts[RELOAD_REMOVE],
		.kept = counts[RELOAD_KEEP],
		.ms = (clock_now_ns() - reload->begun_ns) / CLOCK_NS_PER_MS,
	};
}

int reload_commit(struct reload *reload, struct error *error)
{
	const struct reload_host *host = &reload->host;
	struct commit_room room;
	uint64_t generation;

	if (room_make(&room, &reload->plan) != 0) {
		room_free(&room);
		return error_set(error, ENOMEM, "reload");
	}
	if (host->prepare_cb(host->owner, reload->conf, error) != 0) {
		room_free(&room);
		return -1;
	}
	if (reload_prepare_settle(&reload->prepare, error) != 0) {
		host->abort_cb(host->owner);
		room_free(&room);
		return -1;
	}
	commit_services(reload);
	free(service_list_replace(host->list, room.items, room.by_name, room.count));
	host->context->conf = reload->conf;
	generation = host->commit_cb(host->owner, reload->conf);
	commit_watch(reload);
	commit_note(reload, generation);
	*room.old = (struct reload_old){
		.next = reload->olds, .conf = reload->current, .plan = reload->plan};
	reload->olds = room.old;
	reload->current = reload->conf;
	reload->conf = NULL;
	reload->plan = (struct reload_plan){0};
	reload_prepare_end(&reload->prepare);
	return 0;
}

/* --- what follows --------------------------------------------------------------------------- */

/* The listener at old->socket that the item's service had; NULL: there are no more. */
static struct listener *clean_listener(const struct reload_old *old, const struct reload_item *item)
{
	if (item->deed == RELOAD_REMOVE)
		return old->socket < item->service->conf->socket_count
			       ? &item->service->listeners[old->socket]
			       : NULL;
	return !item->change->in_place && item->change->was != NULL &&
			       old->socket < item->change->count
		       ? &item->change->listeners[old->socket]
		       : NULL;
}

enum clean { CLEAN_MORE, CLEAN_DONE, CLEAN_LATER };

/* Ends one listener; in_use: a start under way has its descriptor, where that is open. */
static enum clean clean_socket(
	struct reload *reload, struct listener *listener, bool in_use, bool force)
{
	struct service_context *context = reload->host.context;

	if (!force && reload_leftover_take(&reload->leftovers, context, listener))
		return CLEAN_MORE;
	if (in_use && listener->fd >= 0)
		return CLEAN_LATER;
	service_discard(context, listener);
	return CLEAN_MORE;
}

/* The next bit of an item; CLEAN_LATER: a start under way still uses what it had. */
static enum clean clean_item(
	struct reload *reload, struct reload_old *old, struct reload_item *item, bool force)
{
	struct service *service = item_service(item);
	struct listener *listener;
	enum clean result;
	bool in_use;

	if (item->deed == RELOAD_KEEP) {
		service_keep(service, item->conf);
		return CLEAN_DONE;
	}
	in_use = !force && spawn_uses_sockets(reload->host.context->spawn, service);
	listener = clean_listener(old, item);
	if (listener != NULL) {
		result = clean_socket(reload, listener, in_use, force);
		old->socket += result == CLEAN_MORE;
		return result;
	}
	if (in_use)
		return CLEAN_LATER;
	if (item->change != NULL)
		service_change_end(item->change);
	return CLEAN_DONE;
}

/* The end of a pass over all items. */
static void clean_pass_done(struct reload_old *old)
{
	old->clean = !old->postponed;
	old->postponed = false;
	old->item = 0;
	if (old->clean)
		reload_plan_end(&old->plan);
}

bool reload_clean_step(struct reload *reload, struct reload_old *old, bool force)
{
	struct reload_item *item;
	enum clean result = CLEAN_DONE;

	if (old->clean)
		return false;
	if (old->item >= old->plan.count) {
		clean_pass_done(old);
		return false;
	}
	item = &old->plan.items[old->item];
	if (!item->done)
		result = clean_item(reload, old, item, force);
	if (result == CLEAN_MORE)
		return true;
	item->done = result == CLEAN_DONE;
	old->postponed |= result == CLEAN_LATER;
	old->item++;
	old->socket = 0;
	return true;
}

/* Whether a retired service must stay although nothing of it runs. */
static bool sweep_uses_service(void *owner, const struct service *service)
{
	const struct reload *reload = owner;

	for (size_t i = 0; i < service->conf->socket_count; i++) {
		if (service->listeners[i].state != LISTENER_CLOSED)
			return true;
	}
	return spawn_uses_owner(reload->host.context->spawn, service);
}

static bool sweep_uses_conf(const struct reload *reload, const struct conf *conf)
{
	const struct service *service = reload->host.list->retired;

	while (service != NULL && (service->conf < conf->services ||
					  service->conf >= conf->services + conf->service_count))
		service = service->retired_next;
	return service != NULL || reload_leftover_uses(reload->leftovers, conf) ||
	       spawn_uses_conf(reload->host.context->spawn, conf->services, conf->service_count);
}

void reload_sweep(struct reload *reload)
{
	/* a plan, and the last one while it is cleaned, may name any service */
	bool named = reload->plan.items != NULL || reload->stage == RELOAD_CLEANING;
	struct reload_old **link = &reload->olds;
	struct reload_old *old;

	for (old = reload->olds; old != NULL && !named; old = old->next) {
		while (reload_clean_step(reload, old, false))
			;
	}
	if (reload->prepare.plan == NULL) /* it may count on them */
		reload_leftover_sweep(&reload->leftovers);
	if (!named)
		service_list_sweep(reload->host.list, sweep_uses_service, reload);
	while ((old = *link) != NULL) {
		if (!old->clean || sweep_uses_conf(reload, old->conf)) {
			link = &old->next;
			continue;
		}
		*link = old->next;
		conf_free(old->conf);
		free(old);
	}
	if (reload->olds != NULL || reload->host.list->retired != NULL)
		loop_timer_start(
			reload->loop, &reload->sweep, loop_now_ns(reload->loop) + SWEEP_NS);
}

void reload_sweep_timer(struct loop_timer *timer)
{
	reload_sweep(RELOAD_OF(timer, sweep));
}
