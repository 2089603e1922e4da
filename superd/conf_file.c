/*
 * conf_file: whoever may write a configuration file says what runs as root, so files and
 * folders that others may write are refused.
 */
#include "config.h"
#include "superd/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int conf_file_check_owner(
	uid_t owner, gid_t group, mode_t mode, uid_t uid, gid_t gid, struct error *error)
{
	if (owner != 0 && owner != uid)
		return error_set(error, 0,
			"belongs to user %u, who is not to be trusted (chown it)", (unsigned)owner);
	if (mode & S_IWOTH)
		return error_set(error, 0, "is writable by everybody, mode %04o (chmod o-w it)",
			(unsigned)(mode & 07777));
	if ((mode & S_IWGRP) && group != 0 && group != gid)
		return error_set(error, 0, "is writable by group %u, mode %04o (chmod g-w it)",
			(unsigned)group, (unsigned)(mode & 07777));
	return 0;
}

/* One folder: the rule of files, but what is sticky is nobody else's to rename. */
static int file_check_folder(const char *path, struct error *error)
{
	struct error why;
	struct stat status;

	if (stat(path, &status) != 0)
		return error_set(error, errno, "cannot look at its folder %.200s", path);
	if ((status.st_mode & S_ISVTX) && status.st_uid == 0)
		return 0;
	if (conf_file_check_owner(
		    status.st_uid, status.st_gid, status.st_mode, geteuid(), getegid(), &why) == 0)
		return 0;
	return error_set(error, 0, "its folder %.200s %s", path, why.text);
}

/* All folders above the absolute path: "/", "/etc", ... */
static int file_check_folders(const char *path, struct error *error)
{
	char folder[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(folder) - 1 && path[i] != '\0'; i++) {
		if (path[i] == '/') {
			folder[i] = '\0';
			if (file_check_folder(i == 0 ? "/" : folder, error) != 0)
				return -1;
		}
		folder[i] = path[i];
	}
	return 0;
}

/*
 * The folders on the way to path, by its name as it was given and, where that holds symbolic
 * links, by its real one.
 */
static int file_check_way(const char *path, int fd, struct error *error)
{
	char absolute[PATH_MAX + PATH_MAX], link[64], folder[PATH_MAX];
	ssize_t length;

	if (*path == '/') {
		snprintf(absolute, sizeof(absolute), "%s", path);
	} else {
		if (getcwd(folder, sizeof(folder)) == NULL)
			return error_set(error, errno, "cannot find the working directory");
		snprintf(absolute, sizeof(absolute), "%s/%s", folder, path);
	}
	if (strlen(absolute) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "cannot read");
	if (file_check_folders(absolute, error) != 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, absolute, PATH_MAX - 1);
	if (length < 0)
		return error_set(error, errno, "cannot find its real name");
	absolute[length] = '\0';
	return file_check_folders(absolute, error);
}

static int file_check(const char *path, int fd, const struct stat *status, struct error *error)
{
	if (!S_ISREG(status->st_mode))
		return error_set(error, 0, "not a regular file");
	if (conf_file_check_owner(status->st_uid, status->st_gid, status->st_mode, geteuid(),
		    getegid(), error) != 0)
		return -1;
	if (file_check_way(path, fd, error) != 0)
		return -1;
	if (status->st_size > CONF_FILE_MAX)
		return error_set(error, 0, "larger than 1 MiB");
	return 0;
}

/* To the end of the file, which may have changed its size since it was looked at. */
static int file_read_all(int fd, struct conf_text *text, struct error *error)
{
	ssize_t count;

	for (;;) {
		count = read(fd, text->bytes + text->length, CONF_FILE_MAX + 1 - text->length);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set(error, errno, "cannot read");
		text->length += (size_t)count;
		if (text->length > CONF_FILE_MAX)
			return error_set(error, 0, "larger than 1 MiB");
		if (count == 0)
			break;
	}
	text->bytes[text->length] = '\0';
	return 0;
}

int conf_file_read(
	struct conf_pool *pool, const char *path, struct conf_text *text, struct error *error)
{
	char *buffer = NULL;
	struct stat status;
	int fd, rc = -1;

	*text = (struct conf_text){0};
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_set(error, errno, "cannot read");
	if (fstat(fd, &status) != 0) {
		error_set(error, errno, "cannot read");
		goto out;
	}
	if (file_check(path, fd, &status, error) != 0)
		goto out;
	text->device = status.st_dev;
	text->inode = status.st_ino;
	buffer = malloc(CONF_FILE_MAX + 2);
	if (buffer == NULL)
		conf_pool_full(pool);
	text->bytes = buffer;
	if (file_read_all(fd, text, error) != 0)
		goto out;
	text->bytes = conf_pool_string(pool, buffer, text->length);
	rc = 0;
out:
	free(buffer);
	close(fd);
	return rc;
}
