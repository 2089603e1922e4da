/*
 * childenv: the variables of config.md ("What the program gets in its environment"): those of
 * UCSPI (PROTO, TCPREMOTEIP, ...), of systemd and CGI (REMOTE_ADDR, LISTEN_FDS), and superd's.
 */
#include "config.h"
#include "superd/childenv.h"

#include "superd/format.h"

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
static bool env_is_set(const struct childenv *env, const char *name, size_t length)
{
	for (size_t i = 0; i < env->configured; i++) {
		const char *variable = env->vector[i];

		if (variable[0] == name[0] && strncmp(variable, name, length) == 0 &&
			variable[length] == '=')
			return true;
	}
	return false;
}

/* Starts a variable: where its value is to be written, to be ended with env_end(); NULL where
   the administrator has set it. */
static char *env_begin(struct childenv *env, const char *name)
{
	size_t length = strlen(name);
	char *text = env->text + env->text_used;

	if (env_is_set(env, name, length))
		return NULL;
	env->vector[env->count++] = text;
	memcpy(text, name, length);
	text[length] = '=';
	return text + length + 1;
}

static void env_end(struct childenv *env, char *end)
{
	*end = '\0';
	env->text_used = (size_t)(end + 1 - env->text);
}

static void env_add(struct childenv *env, const char *name, const char *value)
{
	char *at = env_begin(env, name);

	if (at != NULL)
		env_end(env, format_string(at, value));
}

static void env_add_uint(struct childenv *env, const char *name, uint64_t value)
{
	char *at = env_begin(env, name);

	if (at != NULL)
		env_end(env, format_uint(at, value));
}

static void env_add_peer(struct childenv *env, const struct childenv_facts *facts)
{
	const struct peer *peer = facts->peer;
	char host[ADDR_TEXT_SIZE];

	if (peer->family == AF_UNIX) {
		env_add_uint(env, "UNIXREMOTEPID", (uint64_t)peer->u.cred.pid);
		env_add_uint(env, "UNIXREMOTEEUID", peer->u.cred.uid);
		env_add_uint(env, "UNIXREMOTEEGID", peer->u.cred.gid);
		return;
	}
	if (peer->family != AF_INET && peer->family != AF_INET6)
		return;
	peer_format_host(peer, host);
	env_add(env, "TCPREMOTEIP", host);
	env_add_uint(env, "TCPREMOTEPORT", peer->port);
	env_add(env, "REMOTE_ADDR", host);
	env_add_uint(env, "REMOTE_PORT", peer->port);
	if (facts->local->family != AF_UNSPEC) {
		env_add(env, "TCPLOCALIP", peer_format_host(facts->local, host));
		env_add_uint(env, "TCPLOCALPORT", facts->local->port);
	}
	env_add_uint(env, "TCPCONNNUM", facts->source_connections);
}

static void env_add_listen(struct childenv *env, const struct childenv_facts *facts)
{
	char *at;

	env_add_uint(env, "LISTEN_FDS", facts->listen_count);
	env_add(env, "LISTEN_FDNAMES", facts->listen_names);
	at = env_begin(env, "LISTEN_PID");
	if (at == NULL)
		return;
	env->pid = at;
	env_end(env, at + CHILDENV_PID_SIZE);
}

int childenv_build(struct childenv *env, const struct childenv_facts *facts)
{
	const struct conf_service *conf = facts->conf;
	const char *protocol = "TCP";
	char *at;

	if (env_reserve(env, facts) != 0)
		return -1;
	env->text_used = 0;
	env->pid = NULL;
	env->count = conf->env_count;
	env->configured = conf->env_count;
	if (conf->env_count > 0)
		memcpy(env->vector, conf->env, conf->env_count * sizeof(*env->vector));
	if (facts->family == AF_UNIX)
		protocol = "UNIX";
	else if (facts->type == SOCK_DGRAM)
		protocol = "UDP";
	env_add(env, "PROTO", protocol);
	env_add_peer(env, facts);
	env_add(env, "SUPERD_SERVICE", conf->name);
	at = env_begin(env, "SUPERD_CONN_ID");
	if (at != NULL)
		env_end(env, format_hex(at, facts->id));
	if (facts->listen_names != NULL)
		env_add_listen(env, facts);
	env->vector[env->count] = NULL;
	return 0;
}

void childenv_free(struct childenv *env)
{
	free(env->vector);
	free(env->text);
	*env = (struct childenv){0};
}
