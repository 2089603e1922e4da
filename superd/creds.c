/*
 * creds: user and group names to numbers.
 */
#include "config.h"
#include "superd/creds.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>

/* A decimal id; -1 where text is none.  (uid_t)-1 means "no change" to the kernel: refused. */
static int creds_parse_id(const char *text, uint32_t *id)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || value >= UINT32_MAX)
		return -1;
	*id = (uint32_t)value;
	return 0;
}

int creds_find_user(const char *name, uid_t *uid, gid_t *gid, struct error *error)
{
	const struct passwd *entry;
	uint32_t id;

	errno = 0;
	entry = getpwnam(name);
	if (entry == NULL && creds_parse_id(name, &id) == 0) {
		entry = getpwuid(id);
		if (entry == NULL) {
			*uid = id;
			*gid = id;
			return 0;
		}
	}
	if (entry == NULL)
		return error_set(error, 0, "no such user '%s'", name);
	*uid = entry->pw_uid;
	*gid = entry->pw_gid;
	return 0;
}

int creds_find_group(const char *name, gid_t *gid, struct error *error)
{
	const struct group *entry;
	uint32_t id;

	errno = 0;
	entry = getgrnam(name);
	if (entry != NULL) {
		*gid = entry->gr_gid;
		return 0;
	}
	if (creds_parse_id(name, &id) != 0)
		return error_set(error, 0, "no such group '%s'", name);
	*gid = id;
	return 0;
}
