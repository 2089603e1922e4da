/*
 * service_list: two arrays over the same services, and a list of the retired.
 */
#include "config.h"
#include "superd/service_list.h"

#include "superd/service_change.h"

#include <stdlib.h>
#include <string.h>

static int list_compare(const void *a, const void *b)
{
	const struct service *const *one = a;
	const struct service *const *other = b;

	return strcmp((*one)->conf->name, (*other)->conf->name);
}

void service_list_sort(struct service *const *items, struct service **by_name, size_t count)
{
	for (size_t i = 0; i < count; i++)
		by_name[i] = items[i];
	if (count > 0)
		qsort(by_name, count, sizeof(struct service *), list_compare);
}

struct service **service_list_replace(
	struct service_list *list, struct service **items, struct service **by_name, size_t count)
{
	struct service **old = list->items;

	free(list->by_name);
	list->items = items;
	list->by_name = by_name;
	list->count = count;
	return old;
}

struct service *service_list_find(const struct service_list *list, const char *name)
{
	size_t low = 0;
	size_t high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, list->by_name[middle]->conf->name);

		if (order == 0)
			return list->by_name[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct service *service_list_find_retired(const struct service_list *list, const char *name)
{
	struct service *service = list->retired;

	while (service != NULL && strcmp(service->conf->name, name) != 0)
		service = service->retired_next;
	return service;
}

void service_list_retire(struct service_list *list, struct service *service)
{
	service_retire(service);
	service->retired_next = list->retired;
	list->retired = service;
}

void service_list_take_back(struct service_list *list, struct service *service)
{
	struct service **link = &list->retired;

	while (*link != service)
		link = &(*link)->retired_next;
	*link = service->retired_next;
	service->retired_next = NULL;
}

size_t service_list_sweep(struct service_list *list,
	bool (*uses_cb)(void *owner, const struct service *service), void *owner)
{
	struct service **link = &list->retired;
	struct service *service;
	size_t left = 0;

	while ((service = *link) != NULL) {
		if (service->running > 0 || (uses_cb != NULL && uses_cb(owner, service))) {
			link = &service->retired_next;
			left++;
			continue;
		}
		*link = service->retired_next;
		service_free(service);
	}
	return left;
}

void service_list_free(struct service_list *list)
{
	struct service *service;

	for (size_t i = 0; i < list->count; i++)
		service_free(list->items[i]);
	while ((service = list->retired) != NULL) {
		list->retired = service->retired_next;
		service_free(service);
	}
	free(list->items);
	free(list->by_name);
	*list = (struct service_list){0};
}
