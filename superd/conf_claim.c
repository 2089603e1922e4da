/*
 * conf_claim: claims are found by their exact address, and all of one port by the port, so
 * that a wildcard address meets the specific ones without looking at the rest.
 */
#include "config.h"
#include "superd/conf_claim.h"

#include <string.h>

/* All sockets of one port meet on it; compared byte by byte. */
struct claim_port {
	int type;
	int family;
	int port;
};

/* What makes two sockets the same; compared byte by byte. */
struct claim_key {
	struct claim_port port;
	struct addr addr;
};

struct claim {
	struct claim_key key;    /* the maps' keys: of the port its first part */
	struct claim *next_same; /* of the same address, on other devices */
	struct claim *next_port; /* of the same type, family and port */
	const struct conf_service *service;
	const struct conf_socket *socket;
};

static void claim_key_set(struct claim_key *key, const struct conf_socket *socket)
{
	memset(key, 0, sizeof(*key));
	key->port.type = socket->type;
	key->port.family = addr_family(&socket->addr);
	key->port.port = addr_port(&socket->addr);
	/* A file is one, whatever is bound to it; abstract names are kept type by type. */
	if (key->port.family == AF_UNIX && socket->addr.u.un.sun_path[0] != '\0')
		key->port.type = 0;
	memcpy(&key->addr, &socket->addr, sizeof(key->addr));
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
	claim_key_set(&key, &wildcard);
	return conf_map_get(&builder->claims, &key, sizeof(key));
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

	claim_key_set(&claim->key, socket);
	claim->service = making->service;
	claim->socket = socket;
	claim->next_same = conf_map_get(&builder->claims, &claim->key, sizeof(claim->key));
	claim->next_port =
		conf_map_get(&builder->claims, &claim->key.port, sizeof(claim->key.port));
	other = claim_meets(claim->next_same, making->service, false);
	if (other == NULL && addr_is_wildcard(&socket->addr))
		other = claim_meets(claim->next_port, making->service, true);
	else if (other == NULL && addr_family(&socket->addr) != AF_UNIX)
		other = claim_meets(claim_wildcard(builder, socket), making->service, false);
	if (other != NULL)
		return claim_tell(making, socket, file, other);
	conf_map_put(&builder->claims, &claim->key, sizeof(claim->key), claim);
	conf_map_put(&builder->claims, &claim->key.port, sizeof(claim->key.port), claim);
	return false;
}
