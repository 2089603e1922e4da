/*
 * conf_ident: a cache in front of creds, as 1,000 services ask for the same user.
 */
#include "config.h"
#include "superd/conf_ident.h"
#include "superd/creds.h"

#include <string.h>
#include <unistd.h>

/* What a look-up gave. */
struct ident_entry {
	int result;
	uid_t uid;
	gid_t gid;
	struct error error;
};

void conf_ident_init(struct conf_ident *ident, struct conf_pool *pool)
{
	int count = getgroups(0, NULL);

	*ident = (struct conf_ident){.pool = pool, .uid = geteuid(), .gid = getegid()};
	ident->users.pool = pool;
	ident->groups.pool = pool;
	ident->root = ident->uid == 0;
	if (count <= 0)
		return;
	ident->own_groups = conf_pool_alloc(pool, (size_t)count * sizeof(gid_t));
	count = getgroups(count, ident->own_groups);
	ident->own_group_count = count < 0 ? 0 : (size_t)count;
}

int conf_ident_find_user(
	struct conf_ident *ident, const char *name, uid_t *uid, gid_t *gid, struct error *error)
{
	struct ident_entry *entry = conf_map_get(&ident->users, name, strlen(name));

	if (entry == NULL) {
		entry = conf_pool_alloc(ident->pool, sizeof(*entry));
		entry->result = creds_find_user(name, &entry->uid, &entry->gid, &entry->error);
		conf_map_put(&ident->users, name, strlen(name), entry);
	}
	if (entry->result != 0) {
		*error = entry->error;
		return -1;
	}
	*uid = entry->uid;
	*gid = entry->gid;
	return 0;
}

int conf_ident_user(
	struct conf_ident *ident, const char *name, uid_t *uid, gid_t *gid, struct error *error)
{
	uid_t found;

	if (conf_ident_find_user(ident, name, &found, gid, error) != 0)
		return -1;
	if (!ident->root && found != ident->uid)
		return error_set(error, 0,
			"superd was not started as root and cannot become user '%.80s'", name);
	*uid = found;
	return 0;
}

int conf_ident_find_group(
	struct conf_ident *ident, const char *name, gid_t *gid, struct error *error)
{
	struct ident_entry *entry = conf_map_get(&ident->groups, name, strlen(name));

	if (entry == NULL) {
		entry = conf_pool_alloc(ident->pool, sizeof(*entry));
		entry->result = creds_find_group(name, &entry->gid, &entry->error);
		conf_map_put(&ident->groups, name, strlen(name), entry);
	}
	if (entry->result != 0) {
		*error = entry->error;
		return -1;
	}
	*gid = entry->gid;
	return 0;
}

static bool ident_has_group(const struct conf_ident *ident, gid_t gid, bool supplementary)
{
	size_t i;

	if (ident->root || gid == ident->gid)
		return true;
	for (i = 0; supplementary && i < ident->own_group_count; i++) {
		if (ident->own_groups[i] == gid)
			return true;
	}
	return false;
}

int conf_ident_group(struct conf_ident *ident, const char *name, bool supplementary, gid_t *gid,
	struct error *error)
{
	gid_t found;

	if (conf_ident_find_group(ident, name, &found, error) != 0)
		return -1;
	if (!ident_has_group(ident, found, supplementary))
		return error_set(error, 0,
			"superd was not started as root and cannot take on group '%.80s'", name);
	*gid = found;
	return 0;
}
