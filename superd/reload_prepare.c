/*
 * reload_prepare: the steps, and the way back.
 */
#include "config.h"
#include "superd/reload_prepare.h"

#include "superd/conf_compare.h"
#include "superd/listener_change.h"

#include <errno.h>
#include <stdlib.h>

/* --- each service by itself ----------------------------------------------------------------- */

static int prepare_change(
	struct reload_prepare *prepare, struct reload_item *item, struct error *error)
{
	struct log_sink *sink = NULL;

	if (item->deed != RELOAD_ADD && item->deed != RELOAD_CHANGE)
		return 0;
	if (item->deed == RELOAD_ADD ||
		!conf_log_equal_target(&item->service->conf->log, &item->conf->log)) {
		if (prepare->sink_cb(prepare->owner, &item->conf->log, &sink, error) != 0)
			return -1;
	}
	if (item->service == NULL)
		return service_change_add(prepare->context, item->conf, sink, &item->change, error);
	return service_change_to(item->service, item->conf, sink, &item->change, error);
}

/* --- which open socket serves which new listener -------------------------------------------- */

static int candidate_order(const struct listener *one, const struct listener *other)
{
	return conf_socket_order(
		one->conf, one->service->bind_device, other->conf, other->service->bind_device);
}

static int candidate_compare(const void *a, const void *b)
{
	const struct listener *const *one = a;
	const struct listener *const *other = b;

	return candidate_order(*one, *other);
}

/* Whether the listeners of the item's service may serve others. */
static bool gives_sockets(const struct reload_item *item)
{
	if (item->change == NULL)
		return item->deed == RELOAD_REMOVE;
	return item->change->was != NULL && !item->change->in_place;
}

/* What was retired is closed, but where a start under way uses it: it must not be found in place
   of a leftover for the same endpoint. */
static void add_candidates(struct reload_prepare *prepare, struct service *service)
{
	for (size_t i = 0; i < service->conf->socket_count; i++) {
		if (!service->stopped || service->listeners[i].state != LISTENER_CLOSED)
			prepare->candidates[prepare->candidate_count++] = &service->listeners[i];
	}
}

static int prepare_candidates(struct reload_prepare *prepare, struct error *error)
{
	const struct reload_plan *plan = prepare->plan;
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += gives_sockets(&plan->items[i]) ? plan->items[i].service->conf->socket_count
							: 0;
	for (const struct reload_leftover *at = prepare->leftovers; at != NULL; at = at->next)
		count++;
	prepare->candidates = calloc(count + 1, sizeof(struct listener *));
	if (prepare->candidates == NULL)
		return error_set(error, ENOMEM, "reload");
	for (size_t i = 0; i < plan->count; i++) {
		if (gives_sockets(&plan->items[i]))
			add_candidates(prepare, plan->items[i].service);
	}
	for (struct reload_leftover *at = prepare->leftovers; at != NULL; at = at->next)
		prepare->candidates[prepare->candidate_count++] = &at->listener;
	if (prepare->candidate_count > 0)
		qsort(prepare->candidates, prepare->candidate_count, sizeof(struct listener *),
			candidate_compare);
	return 0;
}

static struct listener *find_candidate(
	const struct reload_prepare *prepare, const struct listener *listener)
{
	size_t low = 0;
	size_t high = prepare->candidate_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = candidate_order(listener, prepare->candidates[middle]);

		if (order == 0)
			return prepare->candidates[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Whether what source has is any good for listener. */
static bool source_serves(const struct listener *source, const struct listener *listener)
{
	if (source->state == LISTENER_ABSENT || source->state == LISTENER_COVERED)
		return listener->conf->family_half;
	return source->state != LISTENER_CLOSED;
}

static void prepare_sources(struct reload_prepare *prepare, struct reload_item *item)
{
	struct service_change *change = item->change;

	for (size_t i = 0; change != NULL && !change->in_place && i < change->count; i++) {
		struct listener *source = find_candidate(prepare, &change->listeners[i]);

		if (source != NULL && source_serves(source, &change->listeners[i]))
			change->sources[i] = source;
	}
}

/* --- sockets -------------------------------------------------------------------------------- */

/* The open socket that the change's listener i will have and has not opened itself; or NULL. */
static struct listener *socket_kept(const struct service_change *change, size_t i)
{
	return change->in_place ? &change->listeners[i] : change->sources[i];
}

/* An open socket gets the options that its new service wants. */
static int prepare_kept(
	const struct service_change *change, struct listener *listener, struct error *error)
{
	listener_retry_now(listener);
	if (conf_service_equal_options(listener->service, change->conf))
		return 0;
	return listener_adapt(listener, change->conf, error);
}

/* Opens the listener beside those candidates that are in its way. */
static int prepare_beside(
	struct reload_prepare *prepare, struct listener *listener, struct error *error)
{
	struct listener **others = calloc(prepare->candidate_count + 1, sizeof(*others));
	struct error again;
	size_t count = 0;

	for (size_t i = 0; others != NULL && i < prepare->candidate_count; i++) {
		struct listener *other = prepare->candidates[i];

		if (other->state == LISTENER_OPEN &&
			conf_socket_overlaps(listener->conf, listener->service->bind_device,
				other->conf, other->service->bind_device))
			others[count++] = other;
	}
	if (count > 0) {
		listener_close(listener);
		if (listener_open_beside(listener, others, count, &again) == 0)
			prepare->beside = true;
		else
			*error = again;
	}
	free(others);
	return listener->state == LISTENER_OPEN ? 0 : -1;
}

static int prepare_new(
	struct reload_prepare *prepare, struct listener *listener, struct error *error)
{
	if (listener_open(listener, error) != 0) {
		if (listener->state == LISTENER_ABSENT)
			return 0;
		if (error->code != EADDRINUSE || prepare_beside(prepare, listener, error) != 0)
			return -1;
	}
	/* whether it can be watched is learnt now, too */
	if (listener_watch(listener, true, error) != 0)
		return -1;
	return listener_watch(listener, false, error);
}

static int prepare_socket(struct reload_prepare *prepare, const struct reload_item *item, size_t i,
	struct error *error)
{
	struct service_change *change = item->change;
	struct listener *kept = socket_kept(change, i);
	int result;

	if (kept != NULL)
		result = prepare_kept(change, kept, error);
	else if (item->service != NULL && item->service->draining)
		return 0; /* it is opened when that ends */
	else
		result = prepare_new(prepare, &change->listeners[i], error);
	if (result != 0) {
		prepare->culprit = &change->listeners[i];
		if (kept == NULL)
			listener_close(&change->listeners[i]); /* not tried again: it never was */
	}
	return result;
}

static void undo_socket(const struct service_change *change, size_t i)
{
	struct listener *kept = socket_kept(change, i);
	struct error ignored;

	if (kept == NULL)
		listener_close(&change->listeners[i]);
	else if (!conf_service_equal_options(kept->service, change->conf))
		listener_adapt(kept, kept->service, &ignored);
}

/* --- the whole ------------------------------------------------------------------------------ */

static int prepare_item(
	struct reload_prepare *prepare, struct reload_item *item, struct error *error)
{
	if (prepare->stage == PREPARE_CHANGES)
		return prepare_change(prepare, item, error);
	if (prepare->stage == PREPARE_SOURCES) {
		prepare_sources(prepare, item);
		return 0;
	}
	if (item->change != NULL && prepare->socket < item->change->count) {
		if (prepare_socket(prepare, item, prepare->socket, error) != 0)
			return -1;
		prepare->socket++;
		return 1;
	}
	prepare->socket = 0;
	return 0;
}

int reload_prepare_step(struct reload_prepare *prepare, struct error *error)
{
	int result;

	if (prepare->item < prepare->plan->count) {
		result = prepare_item(prepare, &prepare->plan->items[prepare->item], error);
		prepare->item += result == 0;
		return result < 0 ? -1 : 1;
	}
	if (prepare->stage == PREPARE_CHANGES && prepare_candidates(prepare, error) != 0)
		return -1;
	if (prepare->stage != PREPARE_SOCKETS) {
		prepare->stage++;
		prepare->item = 0;
		return 1;
	}
	prepare->stage = PREPARE_DONE;
	return 0;
}

/* One socket, or one change. */
static void undo_one(struct reload_prepare *prepare, struct reload_item *item)
{
	if (item->change == NULL)
		return;
	if (prepare->stage >= PREPARE_SOCKETS && prepare->socket < item->change->count) {
		undo_socket(item->change, prepare->socket++);
		return;
	}
	service_change_abort(item->change);
	item->change = NULL;
	prepare->socket = 0;
}

/*
 * Forwards from the first item to where it had come. The listener that failed is closed with the
 * others of its change; options of sockets after it are what they were and are set again.
 */
bool reload_prepare_undo(struct reload_prepare *prepare)
{
	struct reload_plan *plan = prepare->plan;

	if (!prepare->undoing) {
		prepare->undoing = true;
		prepare->item = 0;
		prepare->socket = 0;
	}
	if (prepare->item < plan->count) {
		struct reload_item *item = &plan->items[prepare->item];

		undo_one(prepare, item);
		if (item->change == NULL)
			prepare->item++;
		return true;
	}
	if (prepare->beside)
		listener_unshare(prepare->candidates, prepare->candidate_count);
	return false;
}

int reload_prepare_settle(struct reload_prepare *prepare, struct error *error)
{
	for (size_t i = 0; prepare->beside && i < prepare->plan->count; i++) {
		struct service_change *change = prepare->plan->items[i].change;

		for (size_t j = 0; change != NULL && j < change->count; j++) {
			if (listener_settle(&change->listeners[j], error) != 0) {
				prepare->culprit = &change->listeners[j];
				return -1;
			}
		}
	}
	return 0;
}

void reload_prepare_end(struct reload_prepare *prepare)
{
	free(prepare->candidates);
	*prepare = (struct reload_prepare){0};
}
