/*
 * acl_table: the networks of one family as a table of the points where the deciding one changes.
 * Part of acl; nobody else includes it.
 */
#ifndef SUPERD_ACL_TABLE_H
#define SUPERD_ACL_TABLE_H

#include "superd/acl.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What acl_build() was given to allocate with. */
struct acl_arena {
	void *(*allocate_cb)(void *owner, size_t size, size_t align);
	void *owner;
};

/* count elements of size bytes, not cleared; NULL where memory is out. */
void *acl_arena_allocate(const struct acl_arena *arena, size_t count, size_t size, size_t align);

/* Which rule holds from a point on; 8 bytes. */
struct acl_decision {
	uint32_t line;
	uint16_t source;
	uint8_t prefix_length;
	uint8_t list;
};

#define ACL_LEVELS_MAX 16 /* 16 to the 16th: more points than memory holds */

struct acl_key;

/*
 * The points of one family in ascending order, the first at address 0; or none at all.
 *
 * keys[0] are the points, keys[n + 1] every 16th of keys[n], up to a level of one node: a
 * look-up descends from there and reads one node at each level, whose few cache lines come from
 * memory together.  Halving the bare points instead took twice as long (tests/bench/acl): most of
 * its twenty steps wait for memory one after the other.
 */
struct acl_table {
	size_t count;
	unsigned levels;
	const uint32_t *keys4[ACL_LEVELS_MAX];       /* of IPv4 */
	const struct acl_key *keys6[ACL_LEVELS_MAX]; /* of IPv6 */
	const struct acl_decision *decisions;        /* as many as points */
};

/*
 * Fills *table, all zero before, from count rules (at least one) of kind ACL_IP4 or ACL_IP6,
 * ascending by address and prefix length; of the same network, the first counts.  Returns 0, or
 * -1 where memory is out.
 */
int acl_table_build(const struct acl_arena *arena, enum acl_kind kind, const struct acl_rule *rules,
	size_t count, struct acl_table *table);

/* What decides about ip, laid out as in a rule; table must have been built. */
const struct acl_decision *acl_table_find(const struct acl_table *table, const uint8_t ip[16]);

/* Whether both rules are about the same network or id. */
bool acl_rule_same(const struct acl_rule *one, const struct acl_rule *other);

/* Clears what lies beyond the prefix. */
void acl_ip_cut(uint8_t ip[16], unsigned prefix_length);

#endif
