/*
 * conf_build_acl: who may connect to a service, and when.  Services that inherit the same lists
 * share what is built of them, which may be a million networks.
 */
#include "config.h"
#include "superd/conf_build.h"

#include <string.h>

static struct conf_list acl_merge(struct conf_making *making, const char *name)
{
	return conf_merge_list(making->builder->tree->pool, making->layers,
		conf_schema_find(BLOCK_ACL, name, strlen(name)));
}

/* Where the first value of a list was written. */
static struct conf_position acl_where(struct conf_making *making, const struct conf_list *list)
{
	if (list->count == 0)
		return (struct conf_position){0};
	return conf_build_position(making->builder, list->values[0]->file, list->values[0]->line);
}

/* --- allow and deny ------------------------------------------------------------------------ */

static void *acl_allocate_cb(void *owner, size_t size, size_t align)
{
	return conf_arena_alloc_aligned(owner, size, align);
}

static size_t acl_rule_count(const struct conf_list *list)
{
	size_t i, count = 0;

	for (i = 0; i < list->count; i++)
		count += list->values[i]->networks->count;
	return count;
}

static struct acl_rule *acl_copy(
	const struct conf_list *list, enum acl_list kind, struct acl_rule *to)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		to = conf_networks_copy(list->values[i]->networks, kind, to);
	return to;
}

static const struct acl *acl_make(
	struct conf_making *making, const struct conf_list *allow, const struct conf_list *deny)
{
	struct conf_builder *builder = making->builder;
	size_t count = acl_rule_count(allow) + acl_rule_count(deny);
	const struct acl *acl = NULL;
	struct acl_rule *rules;
	struct error error;

	rules = conf_pool_alloc(builder->tree->pool, (count + 1) * sizeof(*rules));
	acl_copy(deny, ACL_DENY, acl_copy(allow, ACL_ALLOW, rules));
	if (acl_build(rules, count, allow->count > 0, acl_allocate_cb, builder->arena, &acl,
		    &error) != 0)
		conf_making_problem(making, "acl", making->section->file, making->section->line,
			"%s", error.text);
	return acl;
}

/* The table of both lists, made once for the same values in the same order. */
static const struct acl *acl_get(
	struct conf_making *making, const struct conf_list *allow, const struct conf_list *deny)
{
	size_t length = (allow->count + 1 + deny->count) * sizeof(struct conf_value *);
	struct conf_builder *builder = making->builder;
	const struct conf_value **key = conf_pool_alloc(builder->tree->pool, length);
	const struct acl *acl;

	/* A NULL between the two. */
	memcpy(key, allow->values, allow->count * sizeof(*key));
	memcpy(key + allow->count + 1, deny->values, deny->count * sizeof(*key));
	acl = conf_map_get(&builder->acls, key, length);
	if (acl == NULL) {
		acl = acl_make(making, allow, deny);
		if (acl != NULL)
			conf_map_put(&builder->acls, key, length, (void *)(uintptr_t)acl);
	}
	return acl;
}

static void acl_set_networks(struct conf_making *making)
{
	struct conf_list allow = acl_merge(making, "allow");
	struct conf_list deny = acl_merge(making, "deny");

	if (allow.bad || deny.bad || allow.count + deny.count == 0)
		return;
	making->service->acl = acl_get(making, &allow, &deny);
	making->service->allow_where = acl_where(making, &allow);
}

/* --- hours --------------------------------------------------------------------------------- */

static void acl_set_hours(struct conf_making *making)
{
	struct conf_builder *builder = making->builder;
	struct conf_list list = acl_merge(making, "hours");
	struct hours *hours;
	const char *text = "";
	struct error error;
	size_t i;

	if (list.bad || list.count == 0)
		return;
	hours = conf_arena_alloc(builder->arena, sizeof(*hours));
	for (i = 0; i < list.count; i++) {
		const struct conf_value *value = list.values[i];

		/* Each is fine by itself: conf_check.  Together they may be too many. */
		if (hours_add(hours, value->text, &error) != 0) {
			conf_making_problem(
				making, "acl: hours", value->file, value->line, "%s", error.text);
			return;
		}
		text = conf_pool_format(
			builder->tree->pool, "%s%s%s", text, i == 0 ? "" : ", ", value->text);
	}
	making->service->hours = hours;
	making->service->hours_text = conf_arena_string(builder->arena, text);
	making->service->hours_where = acl_where(making, &list);
}

void conf_build_acl(struct conf_making *making)
{
	acl_set_networks(making);
	acl_set_hours(making);
}
