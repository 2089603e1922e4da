/*
 * listener_change: sockets that stay open while what surrounds them changes.
 *
 * Two of superd's own sockets may have to exist at once although the kernel would not bind both,
 * because nothing may be closed before everything new is open: SO_REUSEPORT, set on both for as
 * long as that lasts, lets a wildcard address be bound beside a specific one of the same user; a
 * unix socket is bound under another name and renamed over the old one. (The kernel remembers the
 * former for the port: processes of the same user that set SO_REUSEPORT, too, could be bound there
 * as long as the new socket lives. They are no threat: they could as well stop superd.)
 */
#include "config.h"
#include "superd/listener_change.h"

#include "superd/descriptor.h"
#include "superd/listener_private.h"
#include "superd/listener_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Mode and owner of the socket's name, where that still is its own. */
static int adapt_name(
	const struct listener *listener, const struct conf_service *service, struct error *error)
{
	const char *path = listener->conf->addr.u.un.sun_path;
	char link[64];
	struct stat entry;
	int result = 0;
	int fd;

	if (listener->path_inode == 0)
		return 0;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0; /* somebody has removed it */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstat(fd, &entry) == 0 && entry.st_dev == listener->path_device &&
		entry.st_ino == listener->path_inode) {
		if (chmod(link, service->socket_mode) != 0)
			result = error_set(error, errno, "socket-mode of %s", path);
		else if (fchownat(fd, "", service->socket_user, service->socket_group,
				 AT_EMPTY_PATH) != 0)
			result = error_set(error, errno, "socket-user of %s", path);
	}
	close(fd);
	return result;
}

int listener_adapt(
	struct listener *listener, const struct conf_service *service, struct error *error)
{
	if (listener->state != LISTENER_OPEN)
		return 0;
	if (listener_socket_adapt(listener->fd, service, listener->conf, error) != 0)
		return -1;
	return addr_family(&listener->conf->addr) == AF_UNIX ? adapt_name(listener, service, error)
							     : 0;
}

uint64_t listener_digest(const struct listener *listener)
{
	const struct conf_service *conf = listener->service;
	const int64_t facts[] = {conf->backlog, conf->free_bind, conf->reuse_port,
		conf->transparent, conf->nodelay, conf->keepalive_s, conf->receive_buffer,
		conf->send_buffer, conf->tos, conf->mark, conf->socket_mode, conf->socket_user,
		conf->socket_group, listener->conf->wait};
	uint64_t digest = UINT64_C(14695981039346656037); /* FNV-1a, a fact at a time */

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		digest = (digest ^ (uint64_t)facts[i]) * UINT64_C(1099511628211);
	return digest;
}

void listener_set_blocking(struct listener *listener)
{
	if (listener->state == LISTENER_OPEN)
		descriptor_set_blocking(listener->fd, listener->conf->wait);
}

void listener_move(struct listener *from, struct listener *to)
{
	int64_t due_ns = from->retry.slot != 0 ? from->retry.due_ns : 0;
	struct error ignored;

	listener_watch(from, false, &ignored);
	loop_timer_stop(from->loop, &from->retry);
	to->state = from->state;
	to->fd = from->fd;
	to->watch.fd = from->fd;
	to->problem = from->problem;
	to->backoff_ns = from->backoff_ns;
	to->lent = from->lent;
	to->path_device = from->path_device;
	to->path_inode = from->path_inode;
	from->state = LISTENER_CLOSED;
	from->fd = -1;
	from->problem = NULL;
	from->path_inode = 0;
	if (due_ns != 0) /* in the room that the other timer left */
		loop_timer_start(to->loop, &to->retry, due_ns);
}

/* Another name of the same folder for a socket whose own is still in use. */
static int beside_name(struct conf_socket *socket, struct error *error)
{
	char *path = socket->addr.u.un.sun_path;
	size_t length = strlen(path);

	if (length == 0 ||
		length + sizeof(LISTENER_BESIDE_SUFFIX) > sizeof(socket->addr.u.un.sun_path))
		return error_set(error, EADDRINUSE,
			"bind: the name is still in use by superd as another kind of socket");
	memcpy(path + length, LISTENER_BESIDE_SUFFIX, sizeof(LISTENER_BESIDE_SUFFIX));
	socket->addr.length += sizeof(LISTENER_BESIDE_SUFFIX) - 1;
	return 0;
}

static int beside_unix(struct listener *listener, struct error *error)
{
	struct conf_socket socket = *listener->conf;
	int fd;

	if (beside_name(&socket, error) != 0)
		return -1;
	fd = listener_socket_open(listener->service, &socket, error);
	if (fd < 0)
		return -1;
	listener_opened(listener, fd, socket.addr.u.un.sun_path);
	return 0;
}

static int beside_internet(struct listener *listener, struct listener *const *others, size_t count,
	struct error *error)
{
	int fd;

	for (size_t i = 0; i < count; i++)
		listener_socket_share(others[i]->fd, true);
	fd = listener_socket_open_beside(listener->service, listener->conf, error);
	if (fd < 0) {
		listener_unshare(others, count);
		return -1;
	}
	listener_opened(listener, fd, NULL);
	return 0;
}

int listener_open_beside(struct listener *listener, struct listener *const *others, size_t count,
	struct error *error)
{
	int result;

	if (addr_family(&listener->conf->addr) == AF_UNIX)
		result = beside_unix(listener, error);
	else
		result = beside_internet(listener, others, count, error);
	if (result != 0)
		listener_fail(listener, error);
	else
		listener->beside = true;
	return result;
}

int listener_settle(struct listener *listener, struct error *error)
{
	struct conf_socket socket = *listener->conf;

	if (!listener->beside)
		return 0;
	if (addr_family(&socket.addr) != AF_UNIX) {
		listener_socket_share(listener->fd, listener->service->reuse_port);
	} else if (beside_name(&socket, error) != 0) {
		return -1;
	} else if (rename(socket.addr.u.un.sun_path, listener->conf->addr.u.un.sun_path) != 0) {
		return error_set(error, errno, "rename %s", socket.addr.u.un.sun_path);
	}
	listener->beside = false;
	return 0;
}

void listener_unshare(struct listener *const *others, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (others[i]->fd >= 0)
			listener_socket_share(others[i]->fd, others[i]->service->reuse_port);
	}
}
