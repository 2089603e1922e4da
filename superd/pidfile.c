/*
 * pidfile: the lock says whether a superd runs, the number only which.
 */
#include "config.h"
#include "superd/pidfile.h"

#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int pidfile_error_held(const char *path, int fd, struct error *error)
{
	char text[32] = "";
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	long pid = got > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		return error_set(error, 0,
			"%s: superd is already running as process %ld (use another pid-file for a "
			"second one)",
			path, pid);
	return error_set(error, 0, "%s: locked by another process", path);
}

/* Whether path still names the file that fd has locked: its holder may just have removed it. */
static int pidfile_is_current(const char *path, int fd)
{
	struct stat mine, now;

	return fstat(fd, &mine) == 0 && stat(path, &now) == 0 && mine.st_dev == now.st_dev &&
	       mine.st_ino == now.st_ino;
}

static int pidfile_write(const char *path, int fd, struct error *error)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
		return error_set(error, errno, "%s", path);
	return 0;
}

int pidfile_create(const char *path, struct error *error)
{
	int fd;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
		if (fd < 0)
			return error_set(error, errno, "%s", path);
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			pidfile_error_held(path, fd, error);
			close(fd);
			return -1;
		}
		if (pidfile_is_current(path, fd))
			break;
		close(fd);
	}
	fd = descriptor_raise(fd);
	if (pidfile_write(path, fd, error) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void pidfile_remove(const char *path, int fd)
{
	if (fd < 0)
		return;
	unlink(path);
	close(fd);
}
