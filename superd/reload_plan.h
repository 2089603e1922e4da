/*
 * reload_plan: the difference between the running services and a configuration.
 */
#ifndef SUPERD_RELOAD_PLAN_H
#define SUPERD_RELOAD_PLAN_H

#include "superd/conf.h"
#include "superd/error.h"
#include "superd/service_change.h"
#include "superd/service_list.h"

#include <stdbool.h>
#include <stddef.h>

enum reload_deed { RELOAD_KEEP, RELOAD_ADD, RELOAD_CHANGE, RELOAD_REMOVE, RELOAD_DEEDS };

/* "keep", "add", "change", "remove". */
const char *reload_deed_name(enum reload_deed deed);

/* What becomes of one service. */
struct reload_item {
	enum reload_deed deed;
	const struct conf_service *conf; /* what it is to be; NULL: removed */
	struct service *service; /* the one that runs; added: one of that name that is retired,
				    which comes back, or NULL */
	struct service_change *change; /* how it is prepared: added or changed; the plan's user's */
	bool done;                     /* after the commit: nothing is left to do for it */
};

/* Zeroed before the first use; ended with reload_plan_end(). */
struct reload_plan {
	const struct service_list *list;
	const struct conf *conf;
	struct reload_item *items; /* in the order of the new configuration, then those removed */
	size_t count;
	size_t counts[RELOAD_DEEDS];
	size_t next_new; /* how far it has come in conf, */
	size_t next_old; /* and then in list */
	size_t hint;     /* where the service of the same name is likely to be in list */
};

/* Begins to plan the way from list to conf; neither may change meanwhile. Returns 0, or -1 with
 *error (out of memory). */
int reload_plan_begin(struct reload_plan *plan, const struct service_list *list,
	const struct conf *conf, struct error *error);

/* Looks at the next service. Returns whether there are more. */
bool reload_plan_step(struct reload_plan *plan);

/* Forgets the plan, but not the changes of its items, which must have been ended. */
void reload_plan_end(struct reload_plan *plan);

/* Longest line of reload_item_format(), with its NUL. */
#define RELOAD_LINE_SIZE 128

/* "change NAME 3": what, which, and how many live connections belong to a service that does not
   stay as it is. Returns text. */
char *reload_item_format(const struct reload_item *item, char text[RELOAD_LINE_SIZE]);

#endif
