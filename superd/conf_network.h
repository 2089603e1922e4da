/*
 * conf_network: one value of `allow` or `deny` as the rules it stands for: networks, users and
 * groups of unix peers, and files with a list of them, which may have a million lines.
 */
#ifndef SUPERD_CONF_NETWORK_H
#define SUPERD_CONF_NETWORK_H

#include "superd/acl.h"
#include "superd/conf_ident.h"
#include "superd/conf_pool.h"
#include "superd/conf_report.h"
#include "superd/error.h"

#include <stddef.h>

/* The largest list, in MiB. */
#define CONF_NETWORK_LIST_MIB 256

/* The rules of one value; they do not know yet which list they are in. */
struct conf_networks {
	size_t count;
	struct conf_network_piece *first, *last;
};

/* What one load keeps of them: each file is read once. */
struct conf_network_reader;

struct conf_network_reader *conf_network_reader_new(
	struct conf_pool *pool, struct conf_report *report, struct conf_ident *ident);

/*
 * The rules of text, which stands at line of file: what acl_text_parse() takes, "user:NAME",
 * "group:NAME" or "file:/PATH": a file that must be as trustworthy as the configuration's own,
 * with one of the others on each line and comments behind '#'.  *networks is the pool's.
 * Returns 0, or -1 with *error; a line of a list that is wrong goes to the report by itself.
 */
int conf_network_parse(struct conf_network_reader *reader, const char *text,
	const struct conf_file *file, unsigned line, const struct conf_networks **networks,
	struct error *error);

/* Writes the rules, as rules of list, to `to`, which has room; returns where they end. */
struct acl_rule *conf_networks_copy(
	const struct conf_networks *networks, enum acl_list list, struct acl_rule *to);

/* The names of the files that acl_rule.source counts. */
const char *const *conf_network_sources(const struct conf_network_reader *reader, size_t *count);

#endif
