/*
 * reload_plan: services are matched by name; a renamed one is removed and added.
 *
 * One that comes back while programs of it run is added, but no other service is made for that:
 * two of one name would each count only a part of the programs.
 */
#include "config.h"
#include "superd/reload_plan.h"

#include "superd/conf_compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *reload_deed_name(enum reload_deed deed)
{
	static const char *const names[] = {"keep", "add", "change", "remove"};

	return names[deed];
}

int reload_plan_begin(struct reload_plan *plan, const struct service_list *list,
	const struct conf *conf, struct error *error)
{
	*plan = (struct reload_plan){.list = list, .conf = conf};
	plan->items = calloc(list->count + conf->service_count + 1, sizeof(*plan->items));
	if (plan->items == NULL)
		return error_set(error, ENOMEM, "reload");
	for (size_t i = 0; i < list->count; i++)
		list->items[i]->planned = false;
	return 0;
}

/* The running service of that name, most likely the one after the last that was found. */
static struct service *plan_find(struct reload_plan *plan, const char *name)
{
	const struct service_list *list = plan->list;

	if (plan->hint < list->count && strcmp(list->items[plan->hint]->conf->name, name) == 0)
		return list->items[plan->hint++];
	return service_list_find(list, name);
}

static void plan_add(struct reload_plan *plan, enum reload_deed deed,
	const struct conf_service *conf, struct service *service)
{
	plan->items[plan->count++] =
		(struct reload_item){.deed = deed, .conf = conf, .service = service};
	plan->counts[deed]++;
}

static void plan_new(struct reload_plan *plan, const struct conf_service *conf)
{
	struct service *service;

	if (!conf->enabled)
		return;
	service = plan_find(plan, conf->name);
	if (service == NULL) {
		plan_add(plan, RELOAD_ADD, conf, service_list_find_retired(plan->list, conf->name));
		return;
	}
	service->planned = true;
	plan_add(plan, conf_service_equal(service->conf, conf) ? RELOAD_KEEP : RELOAD_CHANGE, conf,
		service);
}

bool reload_plan_step(struct reload_plan *plan)
{
	if (plan->next_new < plan->conf->service_count) {
		plan_new(plan, &plan->conf->services[plan->next_new++]);
	} else if (plan->next_old < plan->list->count) {
		struct service *service = plan->list->items[plan->next_old++];

		if (!service->planned)
			plan_add(plan, RELOAD_REMOVE, NULL, service);
	}
	return plan->next_new < plan->conf->service_count || plan->next_old < plan->list->count;
}

void reload_plan_end(struct reload_plan *plan)
{
	free(plan->items);
	*plan = (struct reload_plan){0};
}

char *reload_item_format(const struct reload_item *item, char text[RELOAD_LINE_SIZE])
{
	bool touched = item->deed == RELOAD_CHANGE || item->deed == RELOAD_REMOVE;

	snprintf(text, RELOAD_LINE_SIZE, "%s %s %u", reload_deed_name(item->deed),
		item->conf != NULL ? item->conf->name : item->service->conf->name,
		touched ? item->service->running : 0);
	return text;
}
