/*
 * control_socket: folder, name, mode, group; and who is at the other end.
 */
#include "config.h"
#include "superd/control_socket.h"

#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define GROUPS_MAX 1024 /* of a client that are looked at */

static int socket_check_folder(const char *path, struct error *error)
{
	struct stat entry;

	if (lstat(path, &entry) != 0)
		return error_set(error, errno, "%s", path);
	if (S_ISLNK(entry.st_mode)) /* /var/run: what it leads to is looked at by realpath() */
		return 0;
	if (!S_ISDIR(entry.st_mode))
		return error_set(error, ENOTDIR, "%s", path);
	if (entry.st_uid != 0 && entry.st_uid != geteuid())
		return error_set(error, 0, "the folder %s belongs to user %u, who is not trusted",
			path, (unsigned)entry.st_uid);
	if (entry.st_mode & S_ISVTX)
		return 0;
	if ((entry.st_mode & S_IWOTH) ||
		((entry.st_mode & S_IWGRP) && entry.st_gid != 0 && entry.st_gid != getegid()))
		return error_set(error, 0, "the folder %s is writable by others, mode %04o", path,
			(unsigned)(entry.st_mode & 07777));
	return 0;
}

/* Every folder on the way to path: "/", "/run", ... */
static int socket_check_way(const char *path, struct error *error)
{
	char folder[PATH_MAX];

	if (strlen(path) >= sizeof(folder))
		return error_set(error, ENAMETOOLONG, "%s", path);
	for (size_t i = 0; path[i] != '\0'; i++) {
		if (path[i] == '/') {
			folder[i] = '\0';
			if (socket_check_folder(i == 0 ? "/" : folder, error) != 0)
				return -1;
		}
		folder[i] = path[i];
	}
	return 0;
}

/* The folder of path, checked on the way that was written and on the one it really is; open. */
static int socket_open_folder(const struct control_place *place, struct error *error)
{
	char way[PATH_MAX + NAME_MAX];
	char folder[CONTROL_PATH_MAX + 1];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", place->path);
	slash = strrchr(folder, '/');
	if (slash == NULL || strlen(place->path) > CONTROL_PATH_MAX || slash[1] == '\0')
		return error_set(error, 0, "%.200s is no path of a socket", place->path);
	*slash = '\0';
	if (place->make_folder && mkdir(folder, 0755) != 0 && errno != EEXIST)
		return error_set(error, errno, "%s", folder);
	fd = open(slash == folder ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(error, errno, "%s", folder);
	if (realpath(slash == folder ? "/" : folder, way) == NULL) {
		error_set(error, errno, "%s", folder);
		close(fd);
		return -1;
	}
	strcat(way, "/");
	if (socket_check_way(place->path, error) != 0 || socket_check_way(way, error) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void socket_address(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, strlen(path) + 1);
}

/* What is left of a superd that was killed is removed; anything else of that name is in the way. */
static int socket_remove_stale(const char *path, struct error *error)
{
	struct sockaddr_un address;
	struct stat entry;
	int probe, code;

	if (lstat(path, &entry) != 0)
		return errno == ENOENT ? 0 : error_set(error, errno, "%s", path);
	if (!S_ISSOCK(entry.st_mode))
		return error_set(error, 0, "%s is there and is no socket", path);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return error_set(error, errno, "socket");
	socket_address(path, &address);
	code = connect(probe, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
	close(probe);
	if (code != ECONNREFUSED)
		return error_set(error, 0, "%s is in use, by another superd", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return error_set(error, errno, "%s", path);
	return 0;
}

int control_socket_chmod(const struct control_place *place, struct error *error)
{
	gid_t group = place->control_group;

	if (group == (gid_t)-1)
		group = place->status_group;
	if (group != (gid_t)-1 && lchown(place->path, (uid_t)-1, group) != 0)
		return error_set(error, errno, "group %u of %s", (unsigned)group, place->path);
	if (chmod(place->path, place->mode) != 0)
		return error_set(error, errno, "mode of %s", place->path);
	return 0;
}

/* Nobody gets in before listen(2), so the name is as it shall be from its first moment on. */
static int socket_bind(int fd, const struct control_place *place, struct error *error)
{
	struct sockaddr_un address;
	mode_t umask_before;
	int result;

	if (socket_remove_stale(place->path, error) != 0)
		return -1;
	socket_address(place->path, &address);
	umask_before = umask(0177);
	result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(umask_before);
	if (result != 0)
		return error_set(error, errno, "%s", place->path);
	if (control_socket_chmod(place, error) != 0) {
		unlink(place->path);
		return -1;
	}
	if (listen(fd, BACKLOG) == 0)
		return 0;
	error_set(error, errno, "listen on %s", place->path);
	unlink(place->path);
	return -1;
}

int control_socket_open(const struct control_place *place, struct error *error)
{
	int folder = socket_open_folder(place, error);
	int fd;

	if (folder < 0)
		return -1;
	/* Of two that start at once one comes second, and sees the first; where somebody keeps the
	   lock for no good, it is done without. */
	for (int i = 0; i < 20 && flock(folder, LOCK_EX | LOCK_NB) != 0; i++)
		usleep(1000);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		error_set(error, errno, "socket");
	fd = descriptor_raise(fd);
	if (fd >= 0 && socket_bind(fd, place, error) != 0) {
		close(fd);
		fd = -1;
	}
	close(folder);
	return fd;
}

bool control_socket_in_group(int fd, const struct ucred *peer, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t length = sizeof(groups);

	if (group == (gid_t)-1)
		return false;
	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) != 0)
		return false;
	for (size_t i = 0; i < length / sizeof(groups[0]); i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}
