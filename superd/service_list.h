/*
 * service_list: the services of a running superd, in the order of the configuration, and those
 * that the configuration has no more while programs of theirs still run.
 */
#ifndef SUPERD_SERVICE_LIST_H
#define SUPERD_SERVICE_LIST_H

#include "superd/error.h"
#include "superd/service.h"

#include <stdbool.h>
#include <stddef.h>

/* Empty: all zero. */
struct service_list {
	struct service **items; /* the enabled ones, each the list's */
	size_t count;
	struct service **by_name; /* the same, sorted */
	struct service *retired; /* stopped, linked by retired_next; freed when nothing uses them */
};

/* Fills by_name with the count services of items, sorted. */
void service_list_sort(struct service *const *items, struct service **by_name, size_t count);

/*
 * Puts count services, which become the list's, in place of those it has, which become the
 * caller's. items and by_name (the same, sorted) are arrays from malloc(3) that become the list's,
 * too. Returns the array it had (the caller's to free), NULL where there was none.
 */
struct service **service_list_replace(
	struct service_list *list, struct service **items, struct service **by_name, size_t count);

/* The service of that name that is in the configuration, or NULL. */
struct service *service_list_find(const struct service_list *list, const char *name);

/* The retired service of that name, of which programs still run; or NULL. */
struct service *service_list_find_retired(const struct service_list *list, const char *name);

/* Takes over a service that the configuration has no more: it is stopped here, its sockets are
   left to be closed (service_retire()). */
void service_list_retire(struct service_list *list, struct service *service);

/* A retired service is in the configuration again: it is the caller's, for
   service_list_replace(). */
void service_list_take_back(struct service_list *list, struct service *service);

/*
 * Frees each retired service without running programs of which uses_cb (NULL: never) does not say
 * that something else uses it still. Returns how many are left.
 */
size_t service_list_sweep(struct service_list *list,
	bool (*uses_cb)(void *owner, const struct service *service), void *owner);

/* Frees all services, the retired ones too, and empties the list. */
void service_list_free(struct service_list *list);

#endif
