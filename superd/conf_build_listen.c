/*
 * conf_build_listen: the sockets of a service, and whether its other options fit them.
 */
#include "config.h"
#include "superd/conf_build.h"
#include "superd/conf_claim.h"
#include "superd/conf_endpoint.h"

#include <string.h>

/* An endpoint and where it was written. */
struct listen_endpoint {
	const struct conf_endpoint *endpoint;
	const struct conf_file *file;
	unsigned line;
};

/* --- the sockets --------------------------------------------------------------------------- */

/* Sockets of one endpoint at sockets; a conflict is told once for an endpoint. */
static void listen_add(struct conf_making *making, const struct listen_endpoint *from, bool wait,
	struct conf_socket *sockets)
{
	struct conf_builder *builder = making->builder;
	size_t i, count = conf_endpoint_socket_count(from->endpoint);
	struct conf_endpoint_socket one;
	char text[CONF_SOCKET_TEXT_SIZE];
	bool told = false;

	for (i = 0; i < count; i++) {
		struct conf_socket *socket = &sockets[i];

		conf_endpoint_get(from->endpoint, i, &one);
		socket->addr = one.addr;
		socket->family_half = one.family_half;
		socket->type = from->endpoint->type;
		socket->wait = wait || socket->type == SOCK_DGRAM;
		socket->text = conf_arena_string(
			builder->arena, conf_socket_format(socket->type, &socket->addr, text));
		socket->where = conf_build_position(builder, from->file, from->line);
		if (!told && making->service->enabled)
			told = conf_claim(making, socket, from->file);
	}
}

static void listen_add_all(
	struct conf_making *making, const struct listen_endpoint *list, size_t count, bool wait)
{
	struct conf_service *service = making->service;
	struct conf_socket *sockets;
	size_t i, total = 0;

	for (i = 0; i < count; i++)
		total += conf_endpoint_socket_count(list[i].endpoint);
	sockets = conf_arena_alloc(making->builder->arena, total * sizeof(*sockets));
	service->sockets = sockets;
	service->socket_count = total;
	for (i = 0; i < count; i++) {
		listen_add(making, &list[i], wait, sockets);
		sockets += conf_endpoint_socket_count(list[i].endpoint);
	}
}

/* The service's name; false where it is in no list of ports. */
static bool listen_get_default(const struct conf_making *making, struct listen_endpoint *from)
{
	const struct conf_section *section = making->section;
	struct conf_endpoint *endpoint =
		conf_pool_alloc(making->builder->tree->pool, sizeof(*endpoint));

	*from = (struct listen_endpoint){
		.endpoint = endpoint, .file = section->file, .line = section->line};
	return conf_endpoint_from_name(section->title, endpoint) == 0;
}

/* Without `listen`. */
static void listen_default(struct conf_making *making, bool wait)
{
	const struct conf_section *section = making->section;
	struct listen_endpoint from;

	if (listen_get_default(making, &from))
		listen_add_all(making, &from, 1, wait);
	else
		conf_making_problem(making, NULL, section->file, section->line,
			"listen is not set, and '%s' is not in /etc/services for tcp (write listen = PORT)",
			section->title);
}

static void listen_set(struct conf_making *making, const struct conf_setting *listen, bool wait)
{
	struct listen_endpoint *list;
	size_t i, count = 0;

	list = conf_pool_alloc(making->builder->tree->pool, (listen->count + 1) * sizeof(*list));
	/* `+=` adds to the default, where there is one. */
	if (listen->add && listen_get_default(making, &list[0]))
		count++;
	for (i = 0; i < listen->count; i++) {
		const struct conf_value *value = &listen->values[i];

		list[count++] = (struct listen_endpoint){
			.endpoint = value->endpoint, .file = value->file, .line = value->line};
	}
	listen_add_all(making, list, count, wait);
}

/* --- do the options fit them --------------------------------------------------------------- */

static bool listen_applies(const struct conf_socket *socket, enum conf_applies applies)
{
	bool ip = addr_family(&socket->addr) != AF_UNIX;

	switch (applies) {
	case APPLIES_STREAM:
		return socket->type != SOCK_DGRAM;
	case APPLIES_IP:
		return ip;
	case APPLIES_ACCEPTED:
		return !socket->wait;
	case APPLIES_ACCEPTED_TCP:
		return !socket->wait && ip;
	case APPLIES_UNIX_PATH:
		return !ip && socket->addr.u.un.sun_path[0] != '\0';
	default:
		return true;
	}
}

static const char *listen_applies_text(enum conf_applies applies)
{
	switch (applies) {
	case APPLIES_STREAM:
		return "a stream";
	case APPLIES_IP:
		return "tcp or udp";
	case APPLIES_ACCEPTED:
		return "a stream that superd accepts on (wait = no)";
	case APPLIES_ACCEPTED_TCP:
		return "tcp that superd accepts on (wait = no)";
	case APPLIES_UNIX_PATH:
		return "a unix socket in the file system";
	default:
		return "";
	}
}

bool conf_service_applies(const struct conf_service *service, enum conf_applies applies)
{
	size_t i;

	for (i = 0; i < service->socket_count; i++) {
		if (listen_applies(&service->sockets[i], applies))
			return true;
	}
	return service->socket_count == 0;
}

/* The first socket a program gets itself, or NULL. */
static const struct conf_socket *listen_first_wait(const struct conf_service *service)
{
	size_t i;

	for (i = 0; i < service->socket_count; i++) {
		if (service->sockets[i].wait)
			return &service->sockets[i];
	}
	return NULL;
}

bool conf_service_has_wait(const struct conf_service *service)
{
	return listen_first_wait(service) != NULL;
}

/* What a service inherits that needs clients, beside a socket that has none. */
static void listen_tell_inherited(struct conf_making *making, const struct conf_setting *setting,
	const struct conf_socket *socket)
{
	const struct conf_section *section = making->section;
	const struct conf_value *value = &setting->values[0];
	const struct conf_option *option = setting->option;
	const char *name = option->name;

	if (option->block != BLOCK_SERVICE)
		name = conf_pool_format(making->builder->tree->pool, "%s: %s",
			conf_block_get(option->block)->name, option->name);
	if (option->flags & OPTION_GUARD)
		conf_making_problem(making, name, section->file, section->line,
			"inherited from %s:%u, but superd sees no client on %s (%s:%u), whose socket "
			"the program gets itself; split the service in two, or write %s { %s = {} }",
			value->file->name, value->line, socket->text, socket->where.file,
			socket->where.line, conf_block_get(option->block)->name, option->name);
	else
		conf_section_message(making->builder->tree->report, CONF_WARNING, section, name,
			section->file, section->line,
			"inherited from %s:%u, has no effect on %s (%s:%u), whose socket the program "
			"gets itself",
			value->file->name, value->line, socket->text, socket->where.file,
			socket->where.line);
}

/* The setting of option that says more than "none", or NULL. */
static const struct conf_setting *listen_setting(
	const struct conf_making *making, const struct conf_option *option)
{
	const struct conf_setting *setting;

	if (conf_option_is_list(option)) {
		setting = conf_merge_find_filled(making->layers, option);
		return setting == NULL || setting->bad ? NULL : setting;
	}
	setting = conf_merge_find(making->layers, option);
	if (setting == NULL || setting->bad || setting->file == NULL)
		return NULL;
	if ((option->flags & (OPTION_PEER | OPTION_REFUSES)) &&
		(option->kind == KIND_STRING ? *setting->values[0].text == '\0'
					     : setting->values[0].number == 0))
		return NULL;
	return setting;
}

/* An option that needs a peer; returns whether a socket has none. */
static bool listen_check_peer(struct conf_making *making, const struct conf_setting *setting)
{
	const struct conf_socket *socket = listen_first_wait(making->service);

	if (socket == NULL)
		return false;
	if (conf_making_is_own(making, setting))
		conf_setting_problem(making->builder->tree->report, setting,
			"superd sees no client on %s (%s:%u), whose socket the program gets itself; "
			"split the service in two",
			socket->text, socket->where.file, socket->where.line);
	else
		listen_tell_inherited(making, setting, socket);
	return true;
}

/* A limit for some endpoints only: the first of the others is worth a word. */
static void listen_check_partly(
	struct conf_making *making, const struct conf_setting *setting, enum conf_applies applies)
{
	const struct conf_service *service = making->service;
	size_t i;

	for (i = 0; i < service->socket_count; i++) {
		const struct conf_socket *socket = &service->sockets[i];

		if (listen_applies(socket, applies))
			continue;
		conf_section_message(making->builder->tree->report, CONF_WARNING, setting->section,
			setting->name, setting->file, setting->values[0].line,
			"has no effect on %s (%s:%u), which is not %s", socket->text,
			socket->where.file, socket->where.line, listen_applies_text(applies));
		return;
	}
}

static void listen_check_option(struct conf_making *making, const struct conf_option *option)
{
	const struct conf_setting *setting = listen_setting(making, option);

	if (setting == NULL)
		return;
	if ((option->flags & OPTION_PEER) && listen_check_peer(making, setting))
		return;
	if (!conf_making_is_own(making, setting)) {
		if ((option->flags & OPTION_REFUSES) && conf_service_has_wait(making->service))
			listen_tell_inherited(making, setting, listen_first_wait(making->service));
		return;
	}
	if (!conf_service_applies(making->service, option->applies))
		conf_setting_problem(making->builder->tree->report, setting,
			"has no effect: no endpoint of this service is %s",
			listen_applies_text(option->applies));
	else if (option->flags & (OPTION_PEER | OPTION_REFUSES))
		listen_check_partly(making, setting, option->applies);
}

/* wait = no cannot be had for datagrams; inherited it is meant for the streams. */
static void listen_check_wait(struct conf_making *making, const struct conf_setting *wait)
{
	const struct conf_service *service = making->service;
	size_t i;

	if (wait == NULL || wait->bad || wait->values[0].number != 0 ||
		!conf_making_is_own(making, wait))
		return;
	for (i = 0; i < service->socket_count; i++) {
		if (service->sockets[i].type != SOCK_DGRAM)
			continue;
		conf_making_problem(making, "wait", wait->file, wait->values[0].line,
			"the program always gets the socket of datagrams itself: %s (%s:%u)",
			service->sockets[i].text, service->sockets[i].where.file,
			service->sockets[i].where.line);
		return;
	}
}

/* stderr = client: a program that gets the socket itself has none; the log has what it says. */
static void listen_check_stderr(struct conf_making *making)
{
	const struct conf_setting *setting =
		conf_merge_find_name(making->layers, BLOCK_SERVICE, "stderr");
	struct conf_service *service = making->service;

	if (setting->bad || service->stderr_to != STDERR_CLIENT || !conf_service_has_wait(service))
		return;
	if (!conf_making_is_own(making, setting))
		listen_tell_inherited(making, setting, listen_first_wait(service));
	else if (conf_service_applies(service, APPLIES_ACCEPTED))
		listen_check_partly(making, setting, APPLIES_ACCEPTED);
	else
		conf_setting_problem(making->builder->tree->report, setting,
			"'client' has no effect: no endpoint of this service is %s",
			listen_applies_text(APPLIES_ACCEPTED));
	if (!conf_service_applies(service, APPLIES_ACCEPTED))
		service->stderr_to = STDERR_LOG;
}

void conf_build_listen(struct conf_making *making)
{
	const struct conf_setting *listen =
		conf_merge_find_name(making->layers, BLOCK_SERVICE, "listen");
	const struct conf_setting *wait =
		conf_merge_find_name(making->layers, BLOCK_SERVICE, "wait");
	bool waits = wait != NULL && !wait->bad && wait->values[0].number != 0;
	const struct conf_option *option;

	if (listen == NULL)
		listen_default(making, waits);
	else if (!listen->bad)
		listen_set(making, listen, waits);
	if (making->service->socket_count == 0)
		return;
	listen_check_wait(making, wait);
	listen_check_stderr(making);
	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (option->applies != APPLIES_ALWAYS)
			listen_check_option(making, option);
	}
}
