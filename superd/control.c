/*
 * control: the listening socket, and who may come in.
 */
#include "config.h"
#include "superd/control.h"

#include "superd/clock.h"
#include "superd/control_session.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 16
#define SESSIONS_MAX (2 * CONTROL_CLIENTS_MAX) /* those whose clients were given up among them */
#define REST_NS (100 * CLOCK_NS_PER_MS)

#define CONTROL_OF(pointer, member) \
	((struct control *)(void *)((char *)(pointer)-offsetof(struct control, member)))

static enum control_right control_right(
	const struct control *control, int fd, const struct ucred *peer)
{
	const struct control_place *place = &control->place;

	if (peer->uid == 0 || peer->uid == geteuid() ||
		control_socket_in_group(fd, peer, place->control_group))
		return CONTROL_EVERYTHING;
	if (control_socket_in_group(fd, peer, place->status_group))
		return CONTROL_LOOK;
	return CONTROL_NOTHING;
}

static void control_deny(struct control *control, int fd, const struct ucred *peer)
{
	int64_t now_ns = loop_now_ns(control->loop);

	session_turn_away(fd, "permission denied");
	if (control->denied_ns != 0 && now_ns - control->denied_ns < CLOCK_NS_PER_S)
		return;
	control->denied_ns = now_ns;
	control->ops->denied_cb(control->owner, peer);
}

/* Whether the client of a session that waits for its verb is gone. */
static bool session_is_left(const struct control_request *session)
{
	struct pollfd state = {.fd = session->fd};

	return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

/* Who is to make room: who left, else who has kept superd waiting the longest. NULL: nobody. */
static struct control_request *control_longest(const struct control *control)
{
	struct control_request *longest = NULL;

	for (struct control_request *one = control->sessions; one != NULL; one = one->next) {
		if (one->fd < 0)
			continue;
		if (one->state == SESSION_WAITING) {
			if (session_is_left(one))
				return one;
		} else if (longest == NULL || one->moved_ns <= longest->moved_ns) {
			longest = one;
		}
	}
	return longest;
}

/* Whether there is room for one more client, where need be by closing another. */
static bool control_make_room(struct control *control)
{
	struct control_request *longest;
	size_t clients = 0;

	for (struct control_request *one = control->sessions; one != NULL; one = one->next)
		clients += one->fd >= 0;
	if (clients >= CONTROL_CLIENTS_MAX) {
		longest = control_longest(control);
		if (longest == NULL)
			return false;
		session_drop(longest);
	}
	return control->count < SESSIONS_MAX;
}

/* Returns whether there may be more. */
static bool control_accept(struct control *control)
{
	struct ucred peer = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	socklen_t length = sizeof(peer);
	enum control_right right;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == ECONNABORTED || errno == EINTR)
			return true;
		if (errno != EAGAIN && loop_timer_start(control->loop, &control->rest,
					       loop_now_ns(control->loop) + REST_NS) == 0)
			loop_watch_stop(control->loop, &control->watch);
		return false;
	}
	fd = descriptor_raise(fd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		peer.uid = (uid_t)-1;
	right = control_right(control, fd, &peer);
	if (right == CONTROL_NOTHING)
		control_deny(control, fd, &peer);
	else if (!control_make_room(control))
		session_turn_away(fd, "superd is busy with as many requests as it takes");
	else
		session_new(control, fd, &peer, right);
	return true;
}

static void control_ready(struct loop_watch *watch, unsigned events)
{
	struct control *control = CONTROL_OF(watch, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN && control_accept(control); i++)
		continue;
}

static void control_rested(struct loop_timer *timer)
{
	struct control *control = CONTROL_OF(timer, rest);
	struct error error;

	if (control->fd >= 0 &&
		loop_watch_start(control->loop, &control->watch, LOOP_READ, &error) != 0)
		loop_timer_start(
			control->loop, &control->rest, loop_now_ns(control->loop) + REST_NS);
}

int control_new(struct loop *loop, const struct control_ops *ops, void *owner,
	struct control **control, struct error *error)
{
	struct control *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return error_set(error, ENOMEM, "control");
	made->loop = loop;
	made->ops = ops;
	made->owner = owner;
	made->fd = -1;
	made->watch = (struct loop_watch){.fd = -1, .ready_cb = control_ready};
	made->rest.fire_cb = control_rested;
	made->place.control_group = (gid_t)-1;
	made->place.status_group = (gid_t)-1;
	*control = made;
	return 0;
}

/* Whether the name is still that of the open socket. */
static bool control_owns_name(const struct control *control)
{
	struct stat entry;

	return control->fd >= 0 && lstat(control->place.path, &entry) == 0 &&
	       entry.st_dev == control->device && entry.st_ino == control->inode;
}

/* Ends the listening socket; its name goes only where it is still its own. */
static void control_close(struct control *control)
{
	if (control->fd < 0)
		return;
	loop_watch_stop(control->loop, &control->watch);
	loop_timer_stop(control->loop, &control->rest);
	if (control_owns_name(control))
		unlink(control->place.path);
	close(control->fd);
	control->fd = -1;
}

void control_free(struct control *control)
{
	if (control == NULL)
		return;
	control_close(control);
	while (control->sessions != NULL)
		session_free(control->sessions);
	free((char *)(uintptr_t)control->place.path);
	free(control);
}

int control_prepare(
	struct control *control, const struct control_place *place, int *fd, struct error *error)
{
	const char *now = control->fd >= 0 ? control->place.path : NULL;

	*fd = -1;
	if (place->path == NULL)
		return 0;
	if (now != NULL && strcmp(place->path, now) == 0 && control_owns_name(control))
		return 0;
	*fd = control_socket_open(place, error);
	return *fd < 0 ? -1 : 0;
}

/* Goes on with the socket fd of the name path. */
static void control_open(struct control *control, const char *path, int fd)
{
	struct stat entry;

	control->inode = 0;
	if (path != NULL && lstat(path, &entry) == 0) {
		control->device = entry.st_dev;
		control->inode = entry.st_ino;
	}
	control->fd = fd;
	control->watch.fd = fd;
	control_rested(&control->rest);
}

void control_commit(struct control *control, const struct control_place *place, int fd)
{
	char *path = place->path == NULL ? NULL : strdup(place->path);
	struct error ignored;

	if (place->path != NULL && path == NULL) { /* out of memory: all stays as it is */
		control_abort(place, fd);
		return;
	}
	if (place->path == NULL || fd >= 0)
		control_close(control);
	free((char *)(uintptr_t)control->place.path);
	control->place = *place;
	control->place.path = path;
	if (fd >= 0)
		control_open(control, path, fd);
	else if (control->fd >= 0)
		control_socket_chmod(place, &ignored);
}

void control_abort(const struct control_place *place, int fd)
{
	if (fd < 0)
		return;
	unlink(place->path);
	close(fd);
}

int control_fd(const struct control *control)
{
	return control->fd;
}

bool control_busy(const struct control *control)
{
	const struct control_request *session = control->sessions;

	while (session != NULL && session->state == SESSION_WAITING)
		session = session->next;
	return session != NULL;
}

const char *control_path(const struct control *control)
{
	return control->fd >= 0 ? control->place.path : NULL;
}
