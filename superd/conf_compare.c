/*
 * conf_compare: field by field; strings by their text, lists in their order.
 */
#include "config.h"
#include "superd/conf_compare.h"

#include <string.h>

static bool text_equal(const char *one, const char *other)
{
	return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* Two NULL-terminated lists. */
static bool list_equal(const char *const *one, const char *const *other)
{
	while (*one != NULL && *other != NULL && strcmp(*one, *other) == 0) {
		one++;
		other++;
	}
	return *one == NULL && *other == NULL;
}

static bool bytes_equal(const void *one, const void *other, size_t length)
{
	return length == 0 || memcmp(one, other, length) == 0;
}

/* No file of a log has two names here: the path alone tells. */
bool conf_log_equal_target(const struct conf_log *one, const struct conf_log *other)
{
	return one->to_set == other->to_set && one->to == other->to &&
	       one->format == other->format && one->facility == other->facility &&
	       text_equal(one->file, other->file);
}

static bool log_equal(const struct conf_log *one, const struct conf_log *other)
{
	return conf_log_equal_target(one, other) && one->level == other->level &&
	       one->events == other->events;
}

static bool creds_equal(const struct creds *one, const struct creds *other)
{
	return one->change == other->change && one->uid == other->uid && one->gid == other->gid &&
	       one->group_count == other->group_count &&
	       bytes_equal(one->groups, other->groups, one->group_count * sizeof(one->groups[0]));
}

static bool rate_equal(const struct limit_rate *one, const struct limit_rate *other)
{
	return one->count == other->count && one->period_ns == other->period_ns;
}

static bool policy_equal(const struct limit_policy *one, const struct limit_policy *other)
{
	return one->per_source == other->per_source && one->local_exempt == other->local_exempt &&
	       rate_equal(&one->rate, &other->rate) &&
	       rate_equal(&one->per_source_rate, &other->per_source_rate) &&
	       one->burst == other->burst && one->source_prefix4 == other->source_prefix4 &&
	       one->source_prefix6 == other->source_prefix6;
}

static bool limits_equal(const struct conf_limits *one, const struct conf_limits *other)
{
	if (one->instances != other->instances || one->on_full != other->on_full ||
		one->load_permille != other->load_permille || one->time_ns != other->time_ns ||
		one->idle_ns != other->idle_ns || one->rlimit_count != other->rlimit_count ||
		!policy_equal(&one->sources, &other->sources))
		return false;
	for (size_t i = 0; i < one->rlimit_count; i++) {
		if (one->rlimits[i].resource != other->rlimits[i].resource ||
			one->rlimits[i].value != other->rlimits[i].value)
			return false;
	}
	return true;
}

static bool hours_equal(const struct conf_service *one, const struct conf_service *other)
{
	return text_equal(one->hours_text, other->hours_text);
}

int conf_socket_order(const struct conf_socket *one, const char *one_device,
	const struct conf_socket *other, const char *other_device)
{
	int order;

	if (one->type != other->type)
		return one->type < other->type ? -1 : 1;
	if (one->addr.length != other->addr.length)
		return one->addr.length < other->addr.length ? -1 : 1;
	order = memcmp(&one->addr.u, &other->addr.u, one->addr.length);
	if (order != 0)
		return order;
	return strcmp(
		one_device != NULL ? one_device : "", other_device != NULL ? other_device : "");
}

bool conf_socket_overlaps(const struct conf_socket *one, const char *one_device,
	const struct conf_socket *other, const char *other_device)
{
	if (conf_socket_order(one, one_device, other, other_device) == 0 ||
		addr_family(&one->addr) != addr_family(&other->addr))
		return false;
	if (addr_family(&one->addr) == AF_UNIX)
		return addr_equal(&one->addr, &other->addr);
	return one->type == other->type && addr_port(&one->addr) == addr_port(&other->addr) &&
	       (addr_is_wildcard(&one->addr) || addr_is_wildcard(&other->addr) ||
		       addr_equal(&one->addr, &other->addr)) &&
	       (one_device == NULL || other_device == NULL ||
		       strcmp(one_device, other_device) == 0);
}

bool conf_service_equal_sockets(const struct conf_service *one, const struct conf_service *other)
{
	if (one->socket_count != other->socket_count)
		return false;
	for (size_t i = 0; i < one->socket_count; i++) {
		const struct conf_socket *a = &one->sockets[i];
		const struct conf_socket *b = &other->sockets[i];

		if (a->wait != b->wait || a->family_half != b->family_half ||
			conf_socket_order(a, one->bind_device, b, other->bind_device) != 0)
			return false;
	}
	return true;
}

bool conf_service_equal_options(const struct conf_service *one, const struct conf_service *other)
{
	return one->backlog == other->backlog && text_equal(one->bind_device, other->bind_device) &&
	       one->free_bind == other->free_bind && one->reuse_port == other->reuse_port &&
	       one->transparent == other->transparent && one->nodelay == other->nodelay &&
	       one->keepalive_s == other->keepalive_s &&
	       one->receive_buffer == other->receive_buffer &&
	       one->send_buffer == other->send_buffer && one->tos == other->tos &&
	       one->mark == other->mark && one->socket_mode == other->socket_mode &&
	       one->socket_user == other->socket_user && one->socket_group == other->socket_group;
}

static bool program_equal(const struct conf_service *one, const struct conf_service *other)
{
	return text_equal(one->path, other->path) && list_equal(one->argv, other->argv) &&
	       list_equal(one->env, other->env) && creds_equal(&one->creds, &other->creds) &&
	       text_equal(one->directory, other->directory) && text_equal(one->root, other->root) &&
	       one->umask == other->umask && one->no_new_privileges == other->no_new_privileges &&
	       one->nice == other->nice && one->stderr_to == other->stderr_to;
}

bool conf_service_equal(const struct conf_service *one, const struct conf_service *other)
{
	return strcmp(one->name, other->name) == 0 && one->enabled == other->enabled &&
	       conf_service_equal_sockets(one, other) && conf_service_equal_options(one, other) &&
	       program_equal(one, other) && text_equal(one->banner, other->banner) &&
	       text_equal(one->deny_banner, other->deny_banner) && acl_same(one->acl, other->acl) &&
	       hours_equal(one, other) && limits_equal(&one->limits, &other->limits) &&
	       log_equal(&one->log, &other->log);
}
