/*
 * conf_claim: claims are found by their exact address, and all of one port by the port, so
 * that a wildcard address meets the specific ones without looking at the rest.
 */
#include "config.h"
#include "superd/conf_claim.h"

#include <string.h>

/* What makes two sockets meet; compared byte by byte. */
struct claim_key {
	int type;
	int family;
	int port;
	int exact; /* 0: the key of the port alone */
	struct addr addr;
};

struct claim {
	struct claim_key address, port; /* the maps' keys */
	struct claim *next_same;        /* of the same address, on other devices */
	struct claim *next_port;        /* of the same type, family and port */
	const struct conf_service *service;
	const struct conf_socket *socket;
};

static void claim_key_set(struct claim_key *key, const struct conf_socket *socket, bool exact)
{
	memset(key, 0, sizeof(*key));
	key->type = socket->type;
	key->family = addr_family(&socket->addr);
	key->port = addr_port(&socket->addr);
	key->exact = exact;
	/* A file is one, whatever is bound to it; abstract names are kept type by type. */
	if (key->family == AF_UNIX && socket->addr.u.un.sun_path[0] != '\0')
		key->type = 0;
	if (exact)
		memcpy(&key->addr, &socket->addr, sizeof(key->addr));
}

static struct claim *claim_get(const struct conf_builder *builder, const struct claim_key *key)
{
	return conf_map_get(&builder->claims, key, sizeof(*key));
}

/* Two sockets on different interfaces never meet. */
static bool claim_devices_meet(const struct conf_service *one, const struct conf_service *other)
{
	return one->bind_device == NULL || other->bind_device == NULL ||
	       strcmp(one->bind_device, other->bind_device) == 0;
}

static const struct claim *claim_meets(
	const struct claim *claim, const struct conf_service *service, bool by_port)
{
	while (claim != NULL && !claim_devices_meet(claim->service, service))
		claim = by_port ? claim->next_port : claim->next_same;
	return claim;
}

/* The claim on the wildcard address of socket's family and port. */
static struct claim *claim_wildcard(
	const struct conf_builder *builder, const struct conf_socket *socket)
{
	struct conf_socket wildcard = *socket;
	struct claim_key key;

	addr_set_wildcard(addr_family(&socket->addr), addr_port(&socket->addr), &wildcard.addr);
	claim_key_set(&key, &wildcard, true);
	return claim_get(builder, &key);
}

static bool claim_tell(struct conf_making *making, const struct conf_socket *socket,
	const struct conf_file *file, const struct claim *other)
{
	if (other->service == making->service)
		conf_making_problem(making, NULL, file, socket->where.line,
			"%s is already taken by %s of the same service (%s:%u)", socket->text,
			other->socket->text, other->socket->where.file, other->socket->where.line);
	else
		conf_making_problem(making, NULL, file, socket->where.line,
			"%s is already taken by service \"%s\" (%s:%u)", socket->text,
			other->service->name, other->socket->where.file, other->socket->where.line);
	return true;
}

bool conf_claim(
	struct conf_making *making, const struct conf_socket *socket, const struct conf_file *file)
{
	struct conf_builder *builder = making->builder;
	struct claim *claim = conf_pool_alloc(builder->tree->pool, sizeof(*claim));
	const struct claim *other;

	claim_key_set(&claim->address, socket, true);
	claim_key_set(&claim->port, socket, false);
	claim->service = making->service;
	claim->socket = socket;
	claim->next_same = claim_get(builder, &claim->address);
	claim->next_port = claim_get(builder, &claim->port);
	other = claim_meets(claim->next_same, making->service, false);
	if (other == NULL && addr_is_wildcard(&socket->addr))
		other = claim_meets(claim->next_port, making->service, true);
	else if (other == NULL && addr_family(&socket->addr) != AF_UNIX)
		other = claim_meets(claim_wildcard(builder, socket), making->service, false);
	if (other != NULL)
		return claim_tell(making, socket, file, other);
	conf_map_put(&builder->claims, &claim->address, sizeof(claim->address), claim);
	conf_map_put(&builder->claims, &claim->port, sizeof(claim->port), claim);
	return false;
}
