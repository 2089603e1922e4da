/*
 * super_connections: what superctl connections shows; one JSON object for each running program.
 *
 * What a program uses is read from /proc only here; how long its connection has been silent is
 * asked of the kernel for all programs of a piece at once.
 */
#include "config.h"
#include "superd/super_answer.h"

#include "superd/clock.h"
#include "superd/sockdiag.h"

#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 8 /* programs a turn of the loop: each is a read of /proc */

struct connections {
	struct super *super;
	const struct service *only; /* NULL: of all services */
	struct children_cursor cursor;
	struct sockdiag *diag; /* its own: otherwise only `idle` needs one; NULL: none to be had */
	bool begun;
	bool more; /* one stands before the next one */
};

/* What /proc tells of a process. */
struct usage {
	bool known;
	double cpu_s;
	json_int_t rss_bytes;
};

/* /proc/PID/stat: user time, system time and resident pages are fields 14, 15 and 24. */
static struct usage usage_of(pid_t pid)
{
	struct usage usage = {0};
	unsigned long long user, system, pages;
	char path[32], text[1024];
	const char *rest;
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return usage;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	rest = strrchr(text, ')'); /* the name before it may hold anything */
	if (rest == NULL || sscanf(rest,
				    ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %*s "
				    "%*s %*s %*s %*s %*s %*s %*s %llu",
				    &user, &system, &pages) != 3)
		return usage;
	usage.known = true;
	usage.cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	usage.rss_bytes = (json_int_t)pages * sysconf(_SC_PAGESIZE);
	return usage;
}

static struct sockdiag_query connection_query(const struct child *child)
{
	const struct service *service = child->owner;
	const char *device = service->conf->bind_device;

	return (struct sockdiag_query){.local = child->local,
		.peer = child->peer,
		.cookie = child->cookie != 0 ? child->cookie : SOCKDIAG_ANY_COOKIE,
		.bound = device != NULL ? if_nametoindex(device) : 0,
		.accepted_ns = child->started_ns};
}

static bool connection_is_tcp(const struct child *child)
{
	return child->local.family != AF_UNSPEC && child->local.family == child->peer.family &&
	       (child->peer.family == AF_INET || child->peer.family == AF_INET6);
}

/* The answers to queries[i] for children[i]; one that is not TCP stays SOCKDIAG_FAILED. */
static void connections_ask(struct sockdiag *diag, struct child *const *children, size_t count,
	struct sockdiag_query *queries)
{
	struct sockdiag_query asked[PIECE];
	struct error ignored;
	size_t places[PIECE];
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		queries[i] = (struct sockdiag_query){.result = SOCKDIAG_FAILED};
		if (diag == NULL || !connection_is_tcp(children[i]))
			continue;
		places[used] = i;
		asked[used++] = connection_query(children[i]);
	}
	if (used == 0)
		return;
	sockdiag_ask(diag, asked, used, &ignored);
	for (size_t i = 0; i < used; i++)
		queries[places[i]] = asked[i];
}

static json_t *connection_json(
	const struct child *child, const struct sockdiag_query *query, int64_t now_ns)
{
	const struct service *service = child->owner;
	int64_t age_ms = (now_ns - child->started_ns) / CLOCK_NS_PER_MS;
	struct usage usage = usage_of(child->pid);
	char peer[ADDR_TEXT_SIZE];
	char id[20];

	snprintf(id, sizeof(id), "%llx", (unsigned long long)child->id);
	peer_format(&child->peer, peer);
	return json_pack("{s:s, s:s, s:o, s:I, s:f, s:o, s:o, s:o}", "id", id, "service",
		service->conf->name, "peer", peer[0] == '\0' ? json_null() : json_string(peer),
		"pid", (json_int_t)child->pid, "age", (double)age_ms / 1e3, "idle",
		query->result == SOCKDIAG_FOUND ? json_real(query->silent_ms / 1e3) : json_null(),
		"cpu", usage.known ? json_real(usage.cpu_s) : json_null(), "rss",
		usage.known ? json_integer(usage.rss_bytes) : json_null());
}

/* The next programs of the walk; returns how many. */
static size_t connections_gather(struct connections *state, struct child *children[PIECE])
{
	const struct children *table = state->super->context.children;
	struct child *child;
	size_t count = 0;

	while (count < PIECE && (child = children_next(table, &state->cursor)) != NULL) {
		if (state->only == NULL || child->owner == state->only)
			children[count++] = child;
	}
	return count;
}

static int connections_next(void *owner, struct control_output *output)
{
	struct connections *state = owner;
	int64_t now_ns = loop_now_ns(state->super->context.loop);
	struct sockdiag_query queries[PIECE];
	struct child *children[PIECE];
	size_t count = connections_gather(state, children);

	if (!state->begun)
		control_output_text(output, "{\"ok\": true, \"connections\": [");
	state->begun = true;
	connections_ask(state->diag, children, count, queries);
	for (size_t i = 0; i < count; i++) {
		if (state->more)
			control_output_text(output, ", ");
		control_output_json(output, connection_json(children[i], &queries[i], now_ns));
		state->more = true;
	}
	if (count == PIECE)
		return 1;
	control_output_text(output, "]}");
	return 0;
}

static void connections_free(void *owner)
{
	struct connections *state = owner;

	sockdiag_free(state->diag);
	free(state);
}

void super_answer_connections(struct super *super, struct control_request *request)
{
	static const struct control_source source = {
		.next_cb = connections_next, .free_cb = connections_free};
	struct error ignored;
	const struct service *only = NULL;
	struct connections *state;

	if (control_word(request, 1) != NULL) {
		only = super_find_service(super, request, 1);
		if (only == NULL)
			return;
	}
	state = calloc(1, sizeof(*state));
	if (state == NULL) {
		control_answer(request, NULL);
		return;
	}
	state->super = super;
	state->only = only;
	if (sockdiag_new(&state->diag, &ignored) != 0)
		state->diag = NULL;
	control_stream(request, &source, state);
}
