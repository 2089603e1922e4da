/*
 * explain: asks the same functions as admit does, in the same order, and says what they said.
 */
#include "config.h"
#include "superd/explain.h"
#include "superd/acl_text.h"
#include "superd/conf_schema.h"
#include "superd/conf_suggest.h"
#include "superd/conf_value.h"

#include <arpa/inet.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

/* --- who ----------------------------------------------------------------------------------- */

static int explain_parse_user(const char *name, struct explain_client *client, struct error *error)
{
	int count = EXPLAIN_GROUPS_MAX;
	const struct passwd *entry;
	gid_t gid;
	uid_t uid;

	if (creds_find_user(name, &uid, &gid, error) != 0)
		return -1;
	client->peer.family = AF_UNIX;
	client->peer.u.cred.uid = uid;
	client->peer.u.cred.gid = gid;
	entry = getpwuid(uid);
	/* Too many groups for it: it filled in as many as there is room. */
	if (entry != NULL && getgrouplist(entry->pw_name, gid, client->groups, &count) < 0)
		count = EXPLAIN_GROUPS_MAX;
	client->group_count = entry == NULL ? 0 : (size_t)count;
	return 0;
}

int explain_parse(const char *text, struct explain_client *client, struct error *error)
{
	struct addr addr;

	*client = (struct explain_client){0};
	if (strncmp(text, "user:", 5) == 0)
		return explain_parse_user(text + 5, client, error);
	if (addr_parse_ip(text, 0, &addr) != 0)
		return error_set(error, 0,
			"'%.120s' is neither an address nor a unix peer such as user:bob", text);
	peer_set(&client->peer, &addr.u.any, addr.length);
	return 0;
}

static const char *explain_family(const struct peer *peer)
{
	if (peer->family == AF_UNIX)
		return "unix";
	return peer->family == AF_INET ? "IPv4" : "IPv6";
}

/* --- the verdict --------------------------------------------------------------------------- */

struct explain {
	const struct conf *conf;
	const struct conf_service *service;
	const struct explain_client *client;
	FILE *stream;
};

/* Sockets that a client of this family comes to; accepted: of those that superd accepts on. */
static bool explain_has_socket(const struct explain *explain, bool accepted)
{
	const struct conf_service *service = explain->service;
	size_t i;

	for (i = 0; i < service->socket_count; i++) {
		if (addr_family(&service->sockets[i].addr) == explain->client->peer.family &&
			(!accepted || !service->sockets[i].wait))
			return true;
	}
	return false;
}

static bool explain_refuse(const struct explain *explain, const char *why)
{
	const struct conf_position *where = &explain->service->where;

	fprintf(explain->stream, "refuse: %s (%s:%u)\n", why, where->file, where->line);
	return false;
}

/* Whether the lists let the client in; what they say about it goes behind the verdict. */
static bool explain_acl(const struct explain *explain, char *why, size_t size)
{
	const struct conf_service *service = explain->service;
	const struct explain_client *client = explain->client;
	const struct conf_position *allow = &service->allow_where;
	char text[ACL_TEXT_SIZE];
	struct acl_rule rule;
	bool open;

	open = acl_check(service->acl, &client->peer, client->groups, client->group_count, &rule);
	if (rule.list != ACL_NONE)
		snprintf(why, size, "acl %s %s (%s:%u)", acl_list_name((enum acl_list)rule.list),
			acl_text_format(&rule, text), explain->conf->acl_sources[rule.source],
			rule.line);
	else if (!open)
		snprintf(why, size, "no rule matches and allow is set (%s:%u)", allow->file,
			allow->line);
	else
		snprintf(why, size, "no rule matches and allow is empty");
	return open;
}

static bool explain_hours(const struct explain *explain, time_t now)
{
	const struct conf_service *service = explain->service;
	struct tm local;
	char text[32];

	if (service->hours == NULL || hours_open_at(service->hours, now))
		return true;
	if (localtime_r(&now, &local) == NULL ||
		strftime(text, sizeof(text), "%a %H:%M", &local) == 0)
		snprintf(text, sizeof(text), "unknown");
	fprintf(explain->stream, "refuse: hours %s (%s:%u), and it is %s\n", service->hours_text,
		service->hours_where.file, service->hours_where.line, text);
	return false;
}

static bool explain_verdict(const struct explain *explain, time_t now)
{
	char why[768];

	if (!explain->service->enabled)
		return explain_refuse(explain, "the service is not enabled");
	if (!explain_has_socket(explain, false)) {
		snprintf(why, sizeof(why), "the service has no endpoint for %s clients",
			explain_family(&explain->client->peer));
		return explain_refuse(explain, why);
	}
	if (!explain_acl(explain, why, sizeof(why))) {
		fprintf(explain->stream, "refuse: %s\n", why);
		return false;
	}
	if (!explain_hours(explain, now))
		return false;
	fprintf(explain->stream, "accept: %s\n", why);
	return true;
}

/* --- the limits ---------------------------------------------------------------------------- */

/* "192.0.2.0/24": all that counts as the same source; "user:1000" of unix peers. */
static char *explain_source(const struct explain *explain, char text[ACL_TEXT_SIZE])
{
	const struct limit_policy *policy = &explain->service->limits.sources;
	const struct peer *peer = &explain->client->peer;
	struct acl_rule rule = {0};
	unsigned bit;

	if (peer->family == AF_UNIX) {
		rule.kind = ACL_USER;
		rule.u.id = peer->u.cred.uid;
		return acl_text_format(&rule, text);
	}
	rule.kind = peer->family == AF_INET ? ACL_IP4 : ACL_IP6;
	rule.prefix_length = (uint8_t)(peer->family == AF_INET ? policy->source_prefix4
							       : policy->source_prefix6);
	memcpy(rule.u.ip, peer->u.ip, peer->family == AF_INET ? 4 : 16);
	for (bit = rule.prefix_length; bit < 128; bit++)
		rule.u.ip[bit / 8] = (uint8_t)(rule.u.ip[bit / 8] & ~(0x80 >> bit % 8));
	return acl_text_format(&rule, text);
}

static void explain_per_source(const struct explain *explain)
{
	const struct limit_policy *policy = &explain->service->limits.sources;
	const struct peer *peer = &explain->client->peer;

	if (policy->per_source == 0)
		return;
	fprintf(explain->stream, "per-source %u", policy->per_source);
	if (policy->local_exempt)
		fputs(" (default)", explain->stream);
	if (policy->local_exempt && peer_is_local(peer))
		fprintf(explain->stream, ", exempt: %s",
			peer->family == AF_UNIX ? "unix peer" : "loopback");
	fputc('\n', explain->stream);
}

static void explain_rate(
	const struct explain *explain, const char *name, const struct limit_rate *rate)
{
	char text[CONF_VALUE_SIZE];

	if (rate->count == 0)
		return;
	fprintf(explain->stream, "%s %s, burst %u\n", name,
		conf_value_format(KIND_RATE, conf_value_rate_put(rate), text),
		explain->service->limits.sources.burst);
}

/* A limit of kind, unless it is 0: none. */
static void explain_value(
	const struct explain *explain, const char *name, enum conf_kind kind, int64_t value)
{
	char text[CONF_VALUE_SIZE];

	if (value != 0)
		fprintf(explain->stream, "%s %s\n", name, conf_value_format(kind, value, text));
}

static void explain_limits(const struct explain *explain)
{
	const struct conf_limits *limits = &explain->service->limits;
	char text[ACL_TEXT_SIZE];

	if (explain_has_socket(explain, true)) {
		fprintf(explain->stream, "source %s\n", explain_source(explain, text));
		explain_per_source(explain);
		explain_rate(explain, "per-source-rate", &limits->sources.per_source_rate);
		explain_rate(explain, "rate", &limits->sources.rate);
	} else {
		fputs("the program gets the socket itself: superd sees no clients\n",
			explain->stream);
	}
	fprintf(explain->stream, "instances %u, on-full %s\n", limits->instances,
		limits->on_full == ON_FULL_QUEUE ? "queue" : "refuse");
	explain_value(explain, "load", KIND_DECIMAL, limits->load_permille);
	explain_value(explain, "time", KIND_TIME, limits->time_ns);
	if (explain_has_socket(explain, true) && explain->client->peer.family != AF_UNIX)
		explain_value(explain, "idle", KIND_TIME, limits->idle_ns);
}

static const struct conf_service *explain_find(
	const struct conf *conf, const char *name, struct error *error)
{
	struct conf_suggest suggest = conf_suggest_begin(name);
	char hint[CONF_SUGGEST_SIZE];
	size_t i;

	for (i = 0; i < conf->service_count; i++) {
		if (strcmp(conf->services[i].name, name) == 0)
			return &conf->services[i];
		conf_suggest_offer(&suggest, conf->services[i].name);
	}
	error_set(error, 0, "no service '%.80s'%s", name, conf_suggest_text(&suggest, hint));
	return NULL;
}

int explain(const struct conf *conf, const char *service, const struct explain_client *client,
	time_t now, FILE *stream, bool *accepted, struct error *error)
{
	struct explain explain = {.conf = conf, .client = client, .stream = stream};

	explain.service = explain_find(conf, service, error);
	if (explain.service == NULL)
		return -1;
	*accepted = explain_verdict(&explain, now);
	if (*accepted)
		explain_limits(&explain);
	return 0;
}
