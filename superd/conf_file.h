/*
 * conf_file: getting a configuration file into memory, if it is one and can be trusted.
 */
#ifndef SUPERD_CONF_FILE_H
#define SUPERD_CONF_FILE_H

#include "superd/conf_pool.h"
#include "superd/error.h"

#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The largest configuration file. */
#define CONF_FILE_MAX (1024 * 1024)

struct conf_text {
	char *bytes; /* the pool's; ends with a NUL behind length */
	size_t length;
	dev_t device; /* which file it is, whatever its name */
	ino_t inode;
};

/*
 * Opens the file path for reading.  It must be a regular file of at most max_mib MiB; it and all
 * folders above it must belong to root or to superd's user and must not be writable by others
 * (folders with the sticky bit that belong to root excepted).  Never blocks on a FIFO or
 * device.  Returns a descriptor, the caller's to close, with *status of the file, or -1 with
 * *error, whose text goes behind "PATH: ".
 */
int conf_file_open(const char *path, unsigned max_mib, struct stat *status, struct error *error);

/* read(2), again where a signal broke it off; -1 with *error, with the text of conf_file_open(). */
ssize_t conf_file_get(int fd, void *buffer, size_t size, struct error *error);

/* Reads the file path as a whole, at most CONF_FILE_MAX bytes; otherwise as conf_file_open(). */
int conf_file_read(
	struct conf_pool *pool, const char *path, struct conf_text *text, struct error *error);

/*
 * Whether a file or folder of that owner, group and mode can be changed by nobody but root and
 * superd's user (uid, gid).  Returns 0, or -1 with *error ("belongs to user 1000 ...").
 */
int conf_file_check_owner(
	uid_t owner, gid_t group, mode_t mode, uid_t uid, gid_t gid, struct error *error);

#endif
