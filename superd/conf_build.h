/*
 * conf_build: from the tree to the struct conf that superd runs on, with the checks that need
 * to see more than one value.
 */
#ifndef SUPERD_CONF_BUILD_H
#define SUPERD_CONF_BUILD_H

#include "superd/conf.h"
#include "superd/conf_arena.h"
#include "superd/conf_ident.h"
#include "superd/conf_map.h"
#include "superd/conf_merge.h"
#include "superd/conf_network.h"
#include "superd/conf_tree.h"

#include <stdbool.h>
#include <stddef.h>

/* What all services are built with. */
struct conf_builder {
	const struct conf_request *request;
	struct conf_tree *tree;
	struct conf_ident *ident;
	struct conf_arena *arena;
	struct conf_builtin builtin;
	struct conf *conf;              /* the result */
	struct conf_layers top;         /* where the top level's values come from */
	struct conf_layers *layers;     /* the same for each service, by its number */
	struct conf_service **services; /* the results, by number */
	struct conf_map programs;       /* checked already */
	struct conf_map claims;         /* endpoints in use */
	struct conf_map arena_names;    /* file names that lie in the arena */
	struct conf_network_reader *networks;
	struct conf_map acls; /* built already, by the values they are made of */
};

/* One service under construction. */
struct conf_making {
	struct conf_builder *builder;
	const struct conf_section *section;
	const struct conf_layers *layers;
	struct conf_service *service;
	bool bad; /* a value it depends on is: what follows from it is not told */
};

/*
 * Builds builder->conf in the arena.  Problems go to the tree's report; whether there were any
 * decides whether the result is good.
 */
void conf_build(struct conf_builder *builder);

/* The place of a value for struct conf, its file's name in the arena. */
struct conf_position conf_build_position(
	struct conf_builder *builder, const struct conf_file *file, unsigned line);

/* The name of a file in the arena. */
const char *conf_build_file(struct conf_builder *builder, const char *name);

/* A problem of the service as a whole or, with name, of one of its options. */
void conf_making_problem(const struct conf_making *making, const char *name,
	const struct conf_file *file, unsigned line, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Whether setting stands in the service's own section, not in what it inherits. */
bool conf_making_is_own(const struct conf_making *making, const struct conf_setting *setting);

/* control-socket and what belongs to it (conf_build_control.c); after the table's own part. */
void conf_build_control(struct conf_builder *builder);

/* The parts of a service; each reads layers and fills fields of service. */

/* user, group, groups (conf_build_creds.c); before the other two. */
void conf_build_creds(struct conf_making *making);

/* listen, wait, the options of sockets, conflicts (conf_build_listen.c). */
void conf_build_listen(struct conf_making *making);

/* allow, deny and hours (conf_build_acl.c). */
void conf_build_acl(struct conf_making *making);

/* exec, argv0, pass-env, env (conf_build_exec.c). */
void conf_build_exec(struct conf_making *making);

#endif
