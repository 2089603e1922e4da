/*
 * service_wait: programs that get the listening (or datagram) sockets themselves.
 *
 * superd never accepts on these sockets; it watches them, hands them over, and takes them back
 * when the program has ended. A program that ends at once and leaves what it was started for is
 * not started in a tight loop: the first datagram in the queue is known by its time of arrival,
 * a stream's queue by its length.
 */
#include "config.h"
#include "superd/service_private.h"

#include "superd/clock.h"
#include "superd/errpipe.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define AT_ONCE_NS CLOCK_NS_PER_S /* a program that ran longer has done something */
#define MARK_EMPTY INT64_C(-1)    /* nobody waits */

int service_wait_init(struct service_group *group, const char *name)
{
	size_t each = strlen(name) + 1;

	group->fds = calloc(group->count, sizeof(*group->fds));
	group->names = malloc(group->count * each + 1);
	if (group->fds == NULL || group->names == NULL)
		return -1;
	group->names[0] = '\0';
	return 0;
}

/* When the first datagram in the queue arrived, ns; MARK_EMPTY where there is none. */
static int64_t mark_datagram(int fd)
{
	char control[CMSG_SPACE(sizeof(struct timespec)) + 256];
	struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *item;
	struct timespec arrived;

	if (recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) < 0)
		return MARK_EMPTY;
	for (item = CMSG_FIRSTHDR(&message); item != NULL; item = CMSG_NXTHDR(&message, item)) {
		if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&arrived, CMSG_DATA(item), sizeof(arrived));
		return arrived.tv_sec * CLOCK_NS_PER_S + arrived.tv_nsec;
	}
	return 0;
}

/* How many connections wait, as far as the kernel tells: exactly for tcp, some or none else. */
static int64_t mark_stream(const struct service_group *group)
{
	int64_t waiting = 0;

	for (size_t i = 0; i < group->count; i++) {
		struct tcp_info info;
		socklen_t length = sizeof(info);
		struct pollfd ready = {.fd = group->listeners[i].fd, .events = POLLIN};

		if (ready.fd < 0 || group->listeners[i].held != 0)
			continue;
		if (getsockopt(ready.fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0)
			waiting += info.tcpi_unacked; /* of a listener: its accept queue */
		else if (poll(&ready, 1, 0) > 0)
			waiting++;
	}
	return waiting > 0 ? waiting : MARK_EMPTY;
}

static int64_t group_mark(const struct service_group *group)
{
	if (group->listeners[0].conf->type == SOCK_DGRAM)
		return mark_datagram(group->listeners[0].fd);
	return mark_stream(group);
}

/* The open sockets, in the order of the configuration, and their names. */
static size_t wait_gather(struct service_group *group)
{
	const char *name = group->service->conf->name;
	size_t length = strlen(name);
	char *out = group->names;
	size_t count = 0;

	for (size_t i = 0; i < group->count; i++) {
		if (group->listeners[i].state != LISTENER_OPEN || group->listeners[i].held != 0)
			continue;
		group->fds[count++] = group->listeners[i].fd;
		if (out != group->names)
			*out++ = ':';
		memcpy(out, name, length + 1);
		out += length;
	}
	return count;
}

/* Sets a socket right that a program has had; one that is opened anew is not watched yet. */
static void wait_recover(struct service_group *group, struct listener *listener)
{
	struct error error;

	if (listener_recover(listener, &error) != 0)
		listener->events->failed_cb(listener, &error);
	group->watched = false;
}

void service_wait_start(struct service_group *group, struct listener *listener)
{
	struct service *service = group->service;
	struct service_context *context = service->context;
	struct spawn_slot *slot;
	struct child *child;

	if (children_count(context->children) >= context->conf->max_instances) {
		service_starve(service);
		return;
	}
	if (service_prepare(service, &slot, &child) != 0)
		return;
	group->mark_ns = group_mark(group);
	if (group->mark_ns == MARK_EMPTY && listener->conf->type == SOCK_DGRAM) {
		/* A datagram with a bad checksum wakes and is gone. Or the socket is not what it
		   was: then it is opened anew. */
		service_unprepare(service, slot, child);
		wait_recover(group, listener);
		return;
	}
	slot->request.fd_count = wait_gather(group);
	slot->request.fds = group->fds;
	if (service_launch(service, &(struct service_launch){.slot = slot,
					    .child = child,
					    .group = group,
					    .listener = listener,
					    .fd = -1,
					    .local = NULL}) == 0)
		group->busy = child->pid;
}

/*
 * What the run says of the program. A datagram that still stands first in the queue was not read;
 * of streams the kernel tells only how many wait, and more may have come meanwhile.
 */
static void wait_judge(struct service_group *group, const struct child *child, int status)
{
	bool failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	struct service *service = group->service;
	int64_t mark = MARK_EMPTY;

	if (clock_now_ns() - child->started_ns < AT_ONCE_NS)
		mark = group_mark(group);
	if (mark == MARK_EMPTY)
		service_note_success(service);
	else if (group->listeners[0].conf->type == SOCK_DGRAM ? mark == group->mark_ns : failed)
		service_note_failure(service);
	else if (group->listeners[0].conf->type != SOCK_DGRAM && mark >= group->mark_ns)
		service_note_idle_run(service);
	else
		service_note_success(service);
}

void service_wait_end(struct service_group *group, const struct child *child, int status)
{
	group->busy = 0;
	if (group->service->stopped || group->service->draining)
		return;
	for (size_t i = 0; i < group->count; i++) {
		if (group->listeners[i].held == 0)
			wait_recover(group, &group->listeners[i]);
	}
	if (group->wait && group->count > 0 && child->failure->step == STEP_OK && !child->stuck)
		wait_judge(group, child, status);
}

void service_hold(struct service_context *context, struct listener *listener, pid_t pid)
{
	struct listener **link = &context->held;

	if (listener->held != 0) {
		while (*link != listener)
			link = &(*link)->held_next;
		*link = listener->held_next;
	}
	listener->held = pid;
	if (pid != 0) {
		listener->held_next = context->held;
		context->held = listener;
	}
}

void service_release(struct service_context *context, pid_t pid)
{
	struct listener *listener = context->held;
	struct service_group *group;

	while (listener != NULL) {
		struct listener *next = listener->held_next;

		if (listener->held == pid) {
			group = listener->owner;
			service_hold(context, listener, 0);
			if (group == NULL) {
				listener_close(listener);
			} else {
				if (group->busy == 0)
					wait_recover(group, listener);
				service_group_refresh(group);
			}
		}
		listener = next;
	}
}
