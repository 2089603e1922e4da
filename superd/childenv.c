/*
 * childenv: the variables of config.md ("What the program gets in its environment"): those of
 * UCSPI (PROTO, TCPREMOTEIP, ...), of systemd and CGI (REMOTE_ADDR, LISTEN_FDS), and superd's.
 */
#include "config.h"
#include "superd/childenv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENV_OWN_MAX 16    /* variables made here, at most */
#define ENV_VALUE_MAX 160 /* one of them with its name; LISTEN_FDNAMES and the service besides */

static int env_reserve(struct childenv *env, const struct childenv_facts *facts)
{
	size_t entries = facts->conf->env_count + ENV_OWN_MAX + 1;
	size_t bytes = (size_t)ENV_OWN_MAX * ENV_VALUE_MAX + strlen(facts->conf->name) +
		       (facts->listen_names != NULL ? strlen(facts->listen_names) : 0);
	void *grown;

	if (entries > env->size) {
		grown = realloc(env->vector, entries * sizeof(*env->vector));
		if (grown == NULL)
			return -1;
		env->vector = grown;
		env->size = entries;
	}
	if (bytes > env->text_size) {
		grown = realloc(env->text, bytes);
		if (grown == NULL)
			return -1;
		env->text = grown;
		env->text_size = bytes;
	}
	return 0;
}

/* Whether the administrator has set this name: env and pass-env win over what superd says. */
static bool env_is_set(const struct childenv *env, size_t configured, const char *variable)
{
	size_t length = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < configured; i++) {
		if (strncmp(env->vector[i], variable, length) == 0)
			return true;
	}
	return false;
}

__attribute__((format(printf, 3, 4))) static void env_add(
	struct childenv *env, size_t configured, const char *format, ...)
{
	char *text = env->text + env->text_used;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, env->text_size - env->text_used, format, args);
	va_end(args);
	if (length < 0 || env_is_set(env, configured, text))
		return;
	env->text_used += (size_t)length + 1;
	env->vector[env->count++] = text;
}

static void env_add_peer(
	struct childenv *env, size_t configured, const struct childenv_facts *facts)
{
	const struct peer *peer = facts->peer;
	char host[ADDR_TEXT_SIZE];

	if (peer->family == AF_UNIX) {
		env_add(env, configured, "UNIXREMOTEPID=%jd", (intmax_t)peer->u.cred.pid);
		env_add(env, configured, "UNIXREMOTEEUID=%ju", (uintmax_t)peer->u.cred.uid);
		env_add(env, configured, "UNIXREMOTEEGID=%ju", (uintmax_t)peer->u.cred.gid);
		return;
	}
	if (peer->family != AF_INET && peer->family != AF_INET6)
		return;
	peer_format_host(peer, host);
	env_add(env, configured, "TCPREMOTEIP=%s", host);
	env_add(env, configured, "TCPREMOTEPORT=%u", peer->port);
	env_add(env, configured, "REMOTE_ADDR=%s", host);
	env_add(env, configured, "REMOTE_PORT=%u", peer->port);
	if (facts->local->family != AF_UNSPEC) {
		peer_format_host(facts->local, host);
		env_add(env, configured, "TCPLOCALIP=%s", host);
		env_add(env, configured, "TCPLOCALPORT=%u", facts->local->port);
	}
	env_add(env, configured, "TCPCONNNUM=%" PRIu32, facts->source_connections);
}

static void env_add_listen(
	struct childenv *env, size_t configured, const struct childenv_facts *facts)
{
	size_t before = env->count;

	env_add(env, configured, "LISTEN_FDS=%zu", facts->listen_count);
	env_add(env, configured, "LISTEN_FDNAMES=%s", facts->listen_names);
	before = env->count;
	env_add(env, configured, "LISTEN_PID=%-*d", CHILDENV_PID_SIZE, 0);
	if (env->count > before)
		env->pid = env->vector[before] + strlen("LISTEN_PID=");
}

int childenv_build(struct childenv *env, const struct childenv_facts *facts)
{
	const struct conf_service *conf = facts->conf;
	const char *protocol = "TCP";

	if (env_reserve(env, facts) != 0)
		return -1;
	env->text_used = 0;
	env->pid = NULL;
	env->count = conf->env_count;
	if (conf->env_count > 0)
		memcpy(env->vector, conf->env, conf->env_count * sizeof(*env->vector));
	if (facts->family == AF_UNIX)
		protocol = "UNIX";
	else if (facts->type == SOCK_DGRAM)
		protocol = "UDP";
	env_add(env, conf->env_count, "PROTO=%s", protocol);
	env_add_peer(env, conf->env_count, facts);
	env_add(env, conf->env_count, "SUPERD_SERVICE=%s", conf->name);
	env_add(env, conf->env_count, "SUPERD_CONN_ID=%" PRIx64, facts->id);
	if (facts->listen_names != NULL)
		env_add_listen(env, conf->env_count, facts);
	env->vector[env->count] = NULL;
	return 0;
}

void childenv_free(struct childenv *env)
{
	free(env->vector);
	free(env->text);
	*env = (struct childenv){0};
}
