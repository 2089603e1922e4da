/*
 * conf_build_creds: the identity of a service's programs, and who owns its unix sockets.
 */
#include "config.h"
#include "superd/conf_build.h"

#include <string.h>

/* The nearest setting of an option of BLOCK_SERVICE that can be used, or NULL. */
static const struct conf_setting *creds_setting(struct conf_making *making, const char *name)
{
	const struct conf_setting *setting =
		conf_merge_find_name(making->layers, BLOCK_SERVICE, name);

	if (setting == NULL || !setting->bad)
		return setting;
	if (setting->file == NULL)
		conf_making_problem(making, NULL, making->section->file, making->section->line,
			"%s is not set, and there is no %s '%s'", name, name,
			setting->values[0].text);
	making->bad = true;
	return NULL;
}

static void creds_set_groups(struct conf_making *making, struct creds *creds)
{
	struct conf_builder *builder = making->builder;
	struct conf_list list;
	gid_t *groups;
	size_t i;

	list = conf_merge_list(builder->tree->pool, making->layers,
		conf_schema_find(BLOCK_SERVICE, "groups", strlen("groups")));
	making->bad |= list.bad;
	if (list.count == 0 || list.bad)
		return;
	groups = conf_arena_alloc(builder->arena, list.count * sizeof(*groups));
	for (i = 0; i < list.count; i++)
		groups[i] = (gid_t)list.values[i]->number;
	creds->groups = groups;
	creds->group_count = list.count;
}

static void creds_set_socket_owner(struct conf_making *making)
{
	const struct conf_setting *user = creds_setting(making, "socket-user");
	const struct conf_setting *group = creds_setting(making, "socket-group");
	struct conf_service *service = making->service;

	service->socket_user = service->creds.change ? service->creds.uid : (uid_t)-1;
	service->socket_group = service->creds.change ? service->creds.gid : (gid_t)-1;
	if (user != NULL)
		service->socket_user = (uid_t)user->values[0].number;
	if (group != NULL)
		service->socket_group = (gid_t)group->values[0].number;
}

void conf_build_creds(struct conf_making *making)
{
	const struct conf_setting *user = creds_setting(making, "user");
	const struct conf_setting *group = creds_setting(making, "group");
	struct conf_ident *ident = making->builder->ident;
	struct creds *creds = &making->service->creds;
	struct error ignored;

	creds->change = ident->root;
	creds->uid = ident->uid;
	creds->gid = ident->gid;
	/* Where superd is not root, conf_check has seen to it that nobody else is named. */
	if (ident->root) {
		if (user != NULL)
			conf_ident_user(
				ident, user->values[0].text, &creds->uid, &creds->gid, &ignored);
		if (group != NULL)
			creds->gid = (gid_t)group->values[0].number;
		creds_set_groups(making, creds);
	}
	creds_set_socket_owner(making);
}
