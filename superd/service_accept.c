/*
 * service_accept: one connection's way: accept, admit, launch. The hot path.
 */
#include "config.h"
#include "superd/service_private.h"

#include "superd/acl.h"
#include "superd/admit.h"
#include "superd/clock.h"
#include "superd/descriptor.h"
#include "superd/sockdiag.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * What one listener may do in a turn: 64 accepts, or 16 refusals, which only a flood makes many of:
 * while they last the other services wait.
 */
#define TURN_BUDGET 64
#define ACCEPT_COST 1
#define REFUSAL_COST 4

#define ACCEPT_GROUPS 64 /* room for those of nearly every unix peer; one may have 65,536 */

/* The own end of the connection; asked for only where it is not the listener's own address. */
static void accept_local(const struct listener *listener, int fd, struct peer *local)
{
	const struct addr *addr = &listener->conf->addr;
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (addr_family(addr) == AF_UNIX)
		*local = (struct peer){.family = AF_UNSPEC};
	else if (!addr_is_wildcard(addr) && !listener->service->transparent)
		peer_set(local, &addr->u.any, addr->length);
	else if (getsockname(fd, (struct sockaddr *)&address, &length) == 0)
		peer_set(local, (struct sockaddr *)&address, length);
	else
		*local = (struct peer){.family = AF_UNSPEC};
}

/*
 * accept(2) failed with code. Returns whether the turn goes on: the connection alone is gone
 * (ECONNABORTED and what accept(2) says of errors already pending on the new socket), or nobody
 * is left, or superd is out of something and has to pause.
 */
static bool accept_failed(struct service *service, struct listener *listener, int code)
{
	struct error error;

	switch (code) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		service_starve(service);
		break;
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP: /* this listener is no listener any more: never spin on it */
		service_starve(service);
		if (listener_recover(listener, &error) != 0)
			listener->events->failed_cb(listener, &error);
		break;
	default: /* gone with its connection; where that never ends, nothing of it was true */
		if (++service->accept_failures >= TURN_BUDGET)
			service_starve(service);
		else if (code == EINTR || code == ECONNABORTED)
			return true;
		break;
	}
	if (service->starved)
		service->accept_failures = 0;
	report_error(service->report,
		&(struct report_failure){
			.step = "accept", .code = code, .endpoint = listener->conf->text});
	return !service->starved;
}

static void accept_refuse(
	struct service *service, const struct peer *peer, int fd, enum admit_verdict verdict)
{
	report_refuse(service->report, peer, verdict, admit_verdict_name(verdict));
	descriptor_close_orderly(fd, service->conf->deny_banner);
}

/* What the socket's buffer does not take of the banner is not sent. */
static void accept_banner(const struct service *service, int fd)
{
	const char *banner = service->conf->banner;

	if (banner != NULL)
		send(fd, banner, strlen(banner), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The 1-minute load in thousandths, read at most once a second. */
static unsigned accept_load(struct service_context *context)
{
	int64_t now_ns = loop_now_ns(context->loop);
	double load;

	if (context->load_ns == 0 || now_ns - context->load_ns >= CLOCK_NS_PER_S) {
		context->load_permille = getloadavg(&load, 1) == 1 ? (unsigned)(load * 1000) : 0;
		context->load_ns = now_ns;
	}
	return context->load_permille;
}

/*
 * The supplementary groups of a unix peer: in few, or where these do not hold them in *many, the
 * caller's to free. Returns 0, or -1 where they cannot be told.
 */
static int accept_groups(int fd, gid_t few[ACCEPT_GROUPS], gid_t **many, struct admit_facts *facts)
{
	socklen_t length = ACCEPT_GROUPS * sizeof(few[0]);
	gid_t *groups = few;
	int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length);

	if (result != 0 && errno == ERANGE) { /* length says how much it takes */
		*many = groups = malloc(length);
		if (groups != NULL)
			result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length);
	}
	facts->groups = groups;
	facts->group_count = length / sizeof(groups[0]);
	return result;
}

/* What is looked up for the verdict is only what the service's rules ask for. */
static enum admit_verdict accept_verdict(struct service *service, const struct peer *peer, int fd)
{
	struct service_context *context = service->context;
	const struct conf_service *conf = service->conf;
	gid_t few[ACCEPT_GROUPS];
	gid_t *many = NULL;
	struct admit_facts facts = {
		.peer = peer,
		.sources = service->sources,
		.now_ns = loop_now_ns(context->loop),
		.running = service->running,
		.running_all = (unsigned)children_count(context->children),
		.max_all = context->conf->max_instances,
	};
	enum admit_verdict verdict = ADMIT_ACL; /* of whom nobody knows the groups */

	if (conf->hours != NULL)
		facts.wall = time(NULL);
	if (conf->limits.load_permille > 0)
		facts.load_permille = accept_load(context);
	if (peer->family != AF_UNIX || !acl_has_groups(conf->acl) ||
		accept_groups(fd, few, &many, &facts) == 0)
		verdict = admit_check(conf, &facts);
	free(many);
	return verdict;
}

/* Keeps what is needed to ask the kernel how long the connection has been silent. */
static void accept_note_idle(const struct service *service, struct child *child, int fd)
{
	const char *device = service->conf->bind_device;

	if (sockdiag_cookie(fd, &child->cookie) != 0)
		return;
	child->bound = device != NULL ? if_nametoindex(device) : 0;
	child->idle_ns = service->conf->limits.idle_ns;
	child->active_ns = loop_now_ns(service->context->loop);
}

/* The accepted connection: refused, or given its program. Returns its cost; 0 ends the turn. */
static int accept_connection(struct service *service, const struct listener *listener,
	struct spawn_slot *slot, struct child *child, int fd)
{
	enum admit_verdict verdict = accept_verdict(service, &child->peer, fd);
	struct peer local;

	if (verdict != ADMIT_ACCEPT) {
		accept_refuse(service, &child->peer, fd, verdict);
		service_unprepare(service, slot, child);
		return REFUSAL_COST;
	}
	accept_banner(service, fd);
	accept_local(listener, fd, &local);
	child->local = local;
	if (service->conf->limits.idle_ns > 0 && local.family != AF_UNSPEC)
		accept_note_idle(service, child, fd);
	if (service_launch(service, &(struct service_launch){.slot = slot,
					    .child = child,
					    .listener = listener,
					    .fd = fd,
					    .local = &local}) == 0)
		return ACCEPT_COST;
	descriptor_close_orderly(fd, NULL);
	return 0;
}

/* With on-full = queue a full superd leaves who comes in the kernel's backlog. */
static bool accept_may_go_on(struct service *service)
{
	const struct service_context *context = service->context;

	if (service->conf->limits.on_full == ON_FULL_REFUSE)
		return true;
	if (children_count(context->children) >= context->conf->max_instances)
		service_starve(service);
	return service_state(service) == SERVICE_LISTENING;
}

/* Accepts one. Returns its cost; 0 ends the turn. */
static int accept_one(struct service *service, struct listener *listener)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	struct spawn_slot *slot;
	struct child *child;
	int fd;

	if (!accept_may_go_on(service) || service_prepare(service, &slot, &child) != 0)
		return 0;
	fd = accept4(listener->fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC);
	if (fd < 0) {
		int code = errno;

		service_unprepare(service, slot, child);
		return accept_failed(service, listener, code) ? ACCEPT_COST : 0;
	}
	service->accept_failures = 0;
	peer_set(&child->peer, (struct sockaddr *)&address, length);
	if (addr_family(&listener->conf->addr) == AF_UNIX &&
		peer_set_credentials(&child->peer, fd) != 0) {
		close(fd); /* who cannot be named gets no program */
		service_unprepare(service, slot, child);
		return REFUSAL_COST;
	}
	return accept_connection(service, listener, slot, child, fd);
}

void service_accept(struct service_group *group, struct listener *listener)
{
	int spent = 0;
	int cost;

	do {
		cost = accept_one(group->service, listener);
		spent += cost;
	} while (cost > 0 && spent < TURN_BUDGET);
}
