/*
 * listener: the life of one listening socket.
 */
#include "config.h"
#include "superd/listener.h"

#include "superd/clock.h"
#include "superd/descriptor.h"
#include "superd/listener_private.h"
#include "superd/listener_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKOFF_FIRST_NS CLOCK_NS_PER_S
#define BACKOFF_LAST_NS (30 * CLOCK_NS_PER_S)

#define LISTENER_OF(pointer, member) \
	((struct listener *)(void *)((char *)(pointer)-offsetof(struct listener, member)))

const char *listener_state_name(enum listener_state state)
{
	static const char *const names[] = {"closed", "open", "retrying", "absent", "covered"};

	return names[state];
}

static void listener_ready(struct loop_watch *watch, unsigned events)
{
	struct listener *listener = LISTENER_OF(watch, watch);

	(void)events;
	listener->events->ready_cb(listener);
}

static void listener_retry(struct loop_timer *timer)
{
	struct listener *listener = LISTENER_OF(timer, retry);
	struct error error;

	if (listener_open(listener, &error) == 0)
		listener->events->opened_cb(listener);
	else
		listener->events->failed_cb(listener, &error);
}

void listener_init(struct listener *listener, const struct conf_service *service,
	const struct conf_socket *conf, const struct listener_events *events, struct loop *loop,
	void *owner)
{
	*listener = (struct listener){
		.service = service,
		.conf = conf,
		.events = events,
		.loop = loop,
		.owner = owner,
		.state = LISTENER_CLOSED,
		.fd = -1,
		.watch = {.ready_cb = listener_ready},
		.retry = {.fire_cb = listener_retry},
	};
}

/* Remembers which name is ours, so that another's socket on the same path is never removed. */
static void listener_note_path(struct listener *listener, const char *path)
{
	struct stat entry;

	listener->path_inode = 0;
	if (path == NULL || addr_family(&listener->conf->addr) != AF_UNIX || path[0] == '\0')
		return;
	if (lstat(path, &entry) == 0) {
		listener->path_device = entry.st_dev;
		listener->path_inode = entry.st_ino;
	}
}

static void listener_remove_path(const struct listener *listener)
{
	char path[sizeof(listener->conf->addr.u.un.sun_path) + sizeof(LISTENER_BESIDE_SUFFIX)];
	struct stat entry;

	if (listener->path_inode == 0)
		return;
	snprintf(path, sizeof(path), "%s%s", listener->conf->addr.u.un.sun_path,
		listener->beside ? LISTENER_BESIDE_SUFFIX : "");
	if (lstat(path, &entry) != 0)
		return;
	if (entry.st_dev == listener->path_device && entry.st_ino == listener->path_inode)
		unlink(path);
}

/* A family that the machine lacks: no such sockets, or not even its wildcard address. */
static bool listener_lacks_family(const struct listener *listener, int code)
{
	return listener->conf->family_half && (code == EAFNOSUPPORT || code == EADDRNOTAVAIL);
}

void listener_fail(struct listener *listener, const struct error *error)
{
	free(listener->problem);
	listener->problem = strdup(error->text);
	if (listener_lacks_family(listener, error->code)) {
		listener->state = LISTENER_ABSENT;
		return;
	}
	listener->state = LISTENER_RETRYING;
	if (listener->backoff_ns == 0)
		listener->backoff_ns = BACKOFF_FIRST_NS;
	loop_timer_start(listener->loop, &listener->retry, clock_now_ns() + listener->backoff_ns);
	listener->backoff_ns *= 2;
	if (listener->backoff_ns > BACKOFF_LAST_NS)
		listener->backoff_ns = BACKOFF_LAST_NS;
}

/* The descriptor for *taken: given, or made. */
static enum inherit_result listener_obtain(
	const struct listener *listener, struct inherit_taken *taken, struct error *error)
{
	const struct conf_service *service = listener->service;
	enum inherit_result result = INHERIT_NONE;

	if (listener->given != NULL)
		result = inherit_take(listener->given, listener->conf, service->bind_device, taken);
	if (result == INHERIT_NONE) {
		taken->fd = listener_socket_open(service, listener->conf, error);
	} else if (result == INHERIT_TAKEN && !taken->used &&
		   listener_socket_adopt(taken->fd, service, listener->conf, error) != 0) {
		close(taken->fd);
		taken->fd = -1;
	}
	return result;
}

bool listener_is_given(const struct listener *listener)
{
	return listener->given != NULL &&
	       inherit_has(listener->given, listener->conf, listener->service->bind_device);
}

void listener_opened(struct listener *listener, int fd, const char *path)
{
	listener->fd = fd;
	listener->watch.fd = fd;
	listener->state = fd < 0 ? LISTENER_COVERED : LISTENER_OPEN;
	listener->backoff_ns = 0;
	free(listener->problem);
	listener->problem = NULL;
	listener_note_path(listener, path);
}

int listener_open(struct listener *listener, struct error *error)
{
	struct inherit_taken taken = {.fd = -1};
	enum inherit_result result = listener_obtain(listener, &taken, error);

	if (taken.fd < 0 && result != INHERIT_COVERED) {
		listener_fail(listener, error);
		return -1;
	}
	listener->lent = taken.lent;
	listener_opened(listener, taken.fd, taken.lent ? NULL : listener->conf->addr.u.un.sun_path);
	return 0;
}

void listener_retry_now(struct listener *listener)
{
	if (listener->state != LISTENER_RETRYING)
		return;
	loop_timer_stop(listener->loop, &listener->retry);
	listener_retry(&listener->retry);
}

void listener_close(struct listener *listener)
{
	struct error ignored;

	loop_timer_stop(listener->loop, &listener->retry);
	if (listener->fd >= 0) {
		listener_watch(listener, false, &ignored);
		close(listener->fd);
		listener->fd = -1;
		listener_remove_path(listener);
		listener->beside = false;
	}
	free(listener->problem);
	listener->problem = NULL;
	listener->state = LISTENER_CLOSED;
}

void listener_dismiss(struct listener *listener)
{
	const struct conf_socket *conf = listener->conf;

	if (listener->fd >= 0 && !conf->wait && !listener->lent && conf->type == SOCK_STREAM &&
		addr_family(&conf->addr) != AF_UNIX)
		shutdown(listener->fd, SHUT_RDWR);
	listener_close(listener);
}

int listener_watch(struct listener *listener, bool watched, struct error *error)
{
	if (listener->state != LISTENER_OPEN || listener->watched == watched)
		return 0;
	if (!watched)
		loop_watch_stop(listener->loop, &listener->watch);
	else if (loop_watch_start(listener->loop, &listener->watch, LOOP_READ, error) != 0) {
		listener_close(listener);
		listener_fail(listener, error);
		return -1;
	}
	listener->watched = watched;
	return 0;
}

/*
 * Whether the socket is still what superd opened. A unix listener says SO_ACCEPTCONN even after
 * its shutdown(2), and a datagram socket that was shut down or holds queued errors (IP_RECVERR)
 * would wake superd for ever: poll(2) tells of both.
 */
static bool listener_is_sound(const struct listener *listener)
{
	struct pollfd state = {.fd = listener->fd, .events = POLLRDHUP};
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	int listening = 0;

	if (poll(&state, 1, 0) != 0)
		return false;
	if (listener->conf->type == SOCK_DGRAM)
		return getpeername(listener->fd, (struct sockaddr *)&peer, &length) != 0;
	length = sizeof(listening);
	return getsockopt(listener->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 &&
	       listening != 0;
}

int listener_recover(struct listener *listener, struct error *error)
{
	if (listener->state != LISTENER_OPEN)
		return 0;
	if (listener_is_sound(listener)) {
		descriptor_set_blocking(listener->fd, listener->conf->wait);
		listener_socket_stamp(listener->fd, listener->conf);
		return 0;
	}
	listener_close(listener);
	return listener_open(listener, error);
}
