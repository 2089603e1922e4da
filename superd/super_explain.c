/*
 * super_explain: the words of superd --explain, and the counts of the moment.
 */
#include "config.h"
#include "superd/super_explain.h"

#include "superd/admit.h"
#include "superd/explain.h"
#include "superd/service_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A number that ends at one of ends. Returns what stands behind it, or NULL. */
static const char *explain_id(const char *text, const char *ends, uint32_t *id)
{
	unsigned long long value;
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	value = strtoull(text, &end, 10);
	if (value >= UINT32_MAX || strchr(ends, *end) == NULL)
		return NULL;
	*id = (uint32_t)value;
	return *end == '\0' ? end : end + 1;
}

/* "UID:GID,GID,...". */
static int explain_unix(const char *text, struct explain_client *client)
{
	uint32_t id;

	text = explain_id(text, ":", &id);
	if (text == NULL)
		return -1;
	client->peer.family = AF_UNIX;
	client->peer.u.cred.uid = id;
	do {
		text = explain_id(text, ",", &id);
		if (text == NULL || client->group_count == EXPLAIN_GROUPS_MAX)
			return -1;
		if (client->group_count == 0)
			client->peer.u.cred.gid = id;
		client->groups[client->group_count++] = id;
	} while (*text != '\0');
	return 0;
}

static int explain_client(const char *text, struct explain_client *client, struct error *error)
{
	*client = (struct explain_client){0};
	if (strncmp(text, "user:", 5) != 0)
		return explain_parse(text, client, error);
	if (explain_unix(text + 5, client) == 0)
		return 0;
	return error_set(error, 0, "'%.120s' is not user:UID:GID,GID,... in numbers", text);
}

/* A listener that clients of this family come to. A closed IPv4 half that the IPv6 half's socket
   takes as well is open where that one is. */
static const struct listener *explain_listener(const struct service *service, int family)
{
	const struct listener *found = NULL;

	for (size_t i = 0; i < service->conf->socket_count; i++) {
		const struct listener *one = &service->listeners[i];

		if (one->state == LISTENER_OPEN && addr_family(&one->conf->addr) == family)
			return one;
		if (one->state == LISTENER_COVERED && family == AF_INET)
			found = explain_listener(service, AF_INET6);
	}
	return found;
}

/* What becomes of a client that the configuration accepts, verdict of the limits being known. */
static const char *explain_fate(
	const struct service *service, const struct peer *peer, enum admit_verdict verdict)
{
	const struct listener *listener = explain_listener(service, peer->family);
	enum service_state state = service_state(service);
	bool queue;

	if (listener == NULL)
		return service->draining || service->stopped ? "draining" : "no-listener";
	if (service_holder(listener) != 0) /* its program takes clients itself */
		return admit_verdict_name(ADMIT_ACCEPT);
	queue = listener->conf->wait || service->conf->limits.on_full == ON_FULL_QUEUE;
	/* in the kernel's backlog, until superd looks at it again */
	if ((state != SERVICE_LISTENING && (state != SERVICE_FULL || queue)) ||
		(queue && (verdict == ADMIT_FULL || verdict == ADMIT_GLOBAL_FULL)))
		return "queue";
	/* limits of clients are nothing to a socket that a program gets as a whole */
	return admit_verdict_name(listener->conf->wait ? ADMIT_ACCEPT : verdict);
}

/* What the limits of the moment say; the configuration alone knows neither. */
static void explain_counts(const struct super *super, const struct service *service,
	const struct explain_client *client, bool accepted, FILE *stream)
{
	const struct service_context *context = &super->context;
	struct admit_facts facts = {
		.peer = &client->peer,
		.groups = client->groups,
		.group_count = client->group_count,
		.sources = service->sources,
		.now_ns = loop_now_ns(context->loop),
		.wall = time(NULL),
		.running = service->running,
		.running_all = (unsigned)children_count(context->children),
		.max_all = context->conf->max_instances,
	};
	enum admit_verdict verdict;
	double load;

	if (service->conf->limits.load_permille > 0 && getloadavg(&load, 1) == 1)
		facts.load_permille = (unsigned)(load * 1000);
	fprintf(stream, "state %s\n", service_state_name(service_state(service)));
	fprintf(stream, "running %u of %u, of all services %u of %u\n", facts.running,
		service->conf->limits.instances, facts.running_all, facts.max_all);
	fprintf(stream, "running for this source %u\n",
		limit_running(service->sources, &client->peer));
	verdict = admit_check(service->conf, &facts);
	/* admission is never asked about who has no endpoint to come to */
	if (!accepted)
		fprintf(stream, "now %s\n",
			verdict == ADMIT_ACCEPT ? "refuse" : admit_verdict_name(verdict));
	else
		fprintf(stream, "now %s\n", explain_fate(service, &client->peer, verdict));
}

/* The text of it, the caller's to free; NULL with *error. */
static char *explain_text(const struct super *super, const char *name,
	const struct explain_client *client, bool *accepted, struct error *error)
{
	const struct service *service = service_list_find(&super->services, name);
	size_t length = 0;
	char *text = NULL;
	FILE *stream = open_memstream(&text, &length);
	int result;

	if (stream == NULL) {
		error_set(error, ENOMEM, "explain");
		return NULL;
	}
	result = explain(super->conf, name, client, time(NULL), stream, accepted, error);
	if (result == 0 && service != NULL)
		explain_counts(super, service, client, *accepted, stream);
	if (fclose(stream) != 0 && result == 0)
		result = error_set(error, ENOMEM, "explain");
	if (result != 0) {
		free(text);
		text = NULL;
	}
	return text;
}

void super_explain(struct super *super, struct control_request *request)
{
	struct explain_client client;
	struct error error;
	bool accepted = false;
	char *text = NULL;

	if (explain_client(control_word(request, 1), &client, &error) == 0)
		text = explain_text(super, control_word(request, 2), &client, &accepted, &error);
	if (text == NULL)
		control_refuse(request, "%s", error.text);
	else
		control_answer(request, json_pack("{s:b, s:o}", "accepted", (int)accepted, "text",
						control_string(text)));
	free(text);
}
