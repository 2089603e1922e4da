/*
 * conf_ident: users and groups by name, each looked up once a load, and whether superd may
 * take them on.
 */
#ifndef SUPERD_CONF_IDENT_H
#define SUPERD_CONF_IDENT_H

#include "superd/conf_map.h"
#include "superd/conf_pool.h"
#include "superd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conf_ident {
	struct conf_pool *pool;
	struct conf_map users, groups;
	bool root; /* superd may become anyone */
	uid_t uid; /* superd's own */
	gid_t gid;
	gid_t *own_groups; /* supplementary */
	size_t own_group_count;
};

/* Fills *ident with who superd is. */
void conf_ident_init(struct conf_ident *ident, struct conf_pool *pool);

/* The user of that name or number, whoever it is, and its group; 0, or -1 with *error. */
int conf_ident_find_user(
	struct conf_ident *ident, const char *name, uid_t *uid, gid_t *gid, struct error *error);

/* The same for a group. */
int conf_ident_find_group(
	struct conf_ident *ident, const char *name, gid_t *gid, struct error *error);

/* The same for a user that superd can become. */
int conf_ident_user(
	struct conf_ident *ident, const char *name, uid_t *uid, gid_t *gid, struct error *error);

/*
 * The same for a group that superd can take on: where it is not root its own one, or with
 * supplementary any of its own.
 */
int conf_ident_group(struct conf_ident *ident, const char *name, bool supplementary, gid_t *gid,
	struct error *error);

#endif
