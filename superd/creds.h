/*
 * creds: the identity a program runs under, resolved to numbers when the file is loaded.
 */
#ifndef SUPERD_CREDS_H
#define SUPERD_CREDS_H

#include "superd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct creds {
	bool change; /* false: superd's own identity is kept (superd was not started as root) */
	uid_t uid;
	gid_t gid;
	size_t group_count;
	const gid_t *groups; /* supplementary groups; NULL where there are none */
};

/*
 * Resolves a user by name or decimal id (getpwnam(3)); *gid is the user's own group, or uid's
 * number where an id has no account.  Returns 0, or -1 with *error ("no such user 'x'").
 * May read files or ask a name service: only in the process that loads the configuration.
 */
int creds_find_user(const char *name, uid_t *uid, gid_t *gid, struct error *error);

/* The same for a group (getgrnam(3)). */
int creds_find_group(const char *name, gid_t *gid, struct error *error);

#endif
