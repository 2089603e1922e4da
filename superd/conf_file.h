/*
 * conf_file: getting a configuration file into memory, if it is one and can be trusted.
 */
#ifndef SUPERD_CONF_FILE_H
#define SUPERD_CONF_FILE_H

#include "superd/conf_pool.h"
#include "superd/error.h"

#include <stddef.h>
#include <sys/types.h>

/* The largest file that is read. */
#define CONF_FILE_MAX (1024 * 1024)

struct conf_text {
	char *bytes; /* the pool's; ends with a NUL behind length */
	size_t length;
	dev_t device; /* which file it is, whatever its name */
	ino_t inode;
};

/*
 * Reads the file path.  It must be a regular file of at most CONF_FILE_MAX bytes; it and all
 * folders above it must belong to root or to superd's user and must not be writable by others
 * (folders with the sticky bit that belong to root excepted).  Never blocks on a FIFO or
 * device.  Returns 0, or -1 with *error, whose text goes behind "PATH: ".
 */
int conf_file_read(
	struct conf_pool *pool, const char *path, struct conf_text *text, struct error *error);

/*
 * Whether a file or folder of that owner, group and mode can be changed by nobody but root and
 * superd's user (uid, gid).  Returns 0, or -1 with *error ("belongs to user 1000 ...").
 */
int conf_file_check_owner(
	uid_t owner, gid_t group, mode_t mode, uid_t uid, gid_t gid, struct error *error);

#endif
