/*
 * acl_table: nested networks cut into disjoint intervals.
 *
 * Prefixes nest or are disjoint, never half overlapping.  So a walk over them in order of their
 * first addresses, with a stack of those that are open, finds the points where the deciding rule
 * changes: at most two for each prefix.  The table is those points with the rule from each on.
 * The rule's network is not stored: it is the peer's own address cut to the prefix length.
 */
#include "config.h"
#include "superd/acl_table.h"

#include <string.h>

#define NODE 16       /* keys; 8 and 32 are slower (tests/bench/acl) */
#define DEPTH_MAX 129 /* prefixes of one family around one address: /0 to /128 */

/* An address as a number; IPv4 lies in the upper half of hi. */
struct acl_key {
	uint64_t hi;
	uint64_t lo;
};

/* The walk over the sorted rules of one family. */
struct acl_walk {
	struct {
		const struct acl_rule *rule;
		struct acl_key last; /* its last address */
	} open[DEPTH_MAX];           /* each inside the one before it */
	size_t depth;
	struct acl_key start;           /* of the point that came last */
	size_t count;                   /* of points so far */
	uint32_t *starts4;              /* where the points go, of IPv4 */
	struct acl_key *starts6;        /* or of IPv6 */
	struct acl_decision *decisions; /* NULL: the points are only counted */
};

void *acl_arena_allocate(const struct acl_arena *arena, size_t count, size_t size, size_t align)
{
	if (count > SIZE_MAX / size)
		return NULL;
	return arena->allocate_cb(arena->owner, count * size, align);
}

void acl_ip_cut(uint8_t ip[16], unsigned prefix_length)
{
	for (unsigned i = prefix_length / 8; i < 16; i++) {
		unsigned kept = i == prefix_length / 8 ? prefix_length % 8 : 0;

		ip[i] = (uint8_t)(ip[i] & (0xff00U >> kept));
	}
}

bool acl_rule_same(const struct acl_rule *one, const struct acl_rule *other)
{
	if (one->kind != other->kind || one->prefix_length != other->prefix_length)
		return false;
	if (one->kind == ACL_IP4 || one->kind == ACL_IP6)
		return memcmp(one->u.ip, other->u.ip, sizeof(one->u.ip)) == 0;
	return one->kind == ACL_UNIX || one->u.id == other->u.id;
}

static uint64_t key_word(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (size_t i = 0; i < sizeof(word); i++)
		word = word << 8 | bytes[i];
	return word;
}

/* ip as it stands in a rule; IPv4 is filled with zeros. */
static struct acl_key key_of(const uint8_t ip[16])
{
	return (struct acl_key){.hi = key_word(ip), .lo = key_word(ip + 8)};
}

static bool key_below(struct acl_key one, struct acl_key other)
{
	/* without a branch, which a look-up would mispredict at every other step */
	return (one.hi < other.hi) | ((one.hi == other.hi) & (one.lo < other.lo));
}

/* The last address of the network that begins at key. */
static struct acl_key key_last(struct acl_key key, unsigned prefix_length)
{
	if (prefix_length < 64)
		key.hi |= UINT64_MAX >> prefix_length;
	if (prefix_length <= 64)
		key.lo = UINT64_MAX;
	else if (prefix_length < 128)
		key.lo |= UINT64_MAX >> (prefix_length - 64);
	return key;
}

/* From start on, rule decides (NULL: none).  A later point at the same address replaces it. */
static void walk_point(struct acl_walk *walk, struct acl_key start, const struct acl_rule *rule)
{
	struct acl_decision decision = {.list = ACL_NONE};
	size_t at;

	if (walk->count == 0 || key_below(walk->start, start))
		walk->count++;
	walk->start = start;
	if (walk->decisions == NULL)
		return;
	at = walk->count - 1;
	if (rule != NULL)
		decision = (struct acl_decision){.line = rule->line,
			.source = rule->source,
			.prefix_length = rule->prefix_length,
			.list = rule->list};
	walk->decisions[at] = decision;
	if (walk->starts4 != NULL)
		walk->starts4[at] = (uint32_t)(start.hi >> 32);
	else
		walk->starts6[at] = start;
}

/* Closes the networks that end before *next; NULL: all.  Behind each, the one around it holds. */
static void walk_close(struct acl_walk *walk, const struct acl_key *next)
{
	while (walk->depth > 0) {
		struct acl_key after = walk->open[walk->depth - 1].last;

		if (next != NULL && !key_below(after, *next))
			return;
		walk->depth--;
		if (++after.lo == 0 && ++after.hi == 0)
			continue; /* nothing comes behind the last address */
		walk_point(walk, after, walk->depth > 0 ? walk->open[walk->depth - 1].rule : NULL);
	}
}

/* Finds the points of count sorted rules of one family, at least one. */
static void walk_rules(struct acl_walk *walk, const struct acl_rule *rules, size_t count)
{
	walk->count = 0;
	walk_point(walk, (struct acl_key){0}, NULL);
	for (size_t i = 0; i < count; i++) {
		const struct acl_rule *rule = &rules[i];
		struct acl_key start = key_of(rule->u.ip);

		if (i > 0 && acl_rule_same(rule, rule - 1))
			continue;
		walk_close(walk, &start);
		walk->open[walk->depth].rule = rule;
		walk->open[walk->depth].last = key_last(start, rule->prefix_length);
		walk->depth++;
		walk_point(walk, start, rule);
	}
	walk_close(walk, NULL);
}

/* Keys at a level that has one for every NODE of the level below. */
static size_t level_above(size_t count)
{
	return (count + NODE - 1) / NODE;
}

/* Keys of all levels above count points. */
static size_t levels_size(size_t count)
{
	size_t total = 0;

	while (count > NODE) {
		count = level_above(count);
		total += count;
	}
	return total;
}

/* The levels above starts, which have their memory behind the points. */
static void table_index4(struct acl_table *table, uint32_t *starts)
{
	size_t count = table->count;

	table->keys4[0] = starts;
	for (table->levels = 1; count > NODE; table->levels++) {
		uint32_t *above = starts + count;

		for (size_t i = 0; i < count; i += NODE)
			above[i / NODE] = starts[i];
		count = level_above(count);
		table->keys4[table->levels] = above;
		starts = above;
	}
}

static void table_index6(struct acl_table *table, struct acl_key *starts)
{
	size_t count = table->count;

	table->keys6[0] = starts;
	for (table->levels = 1; count > NODE; table->levels++) {
		struct acl_key *above = starts + count;

		for (size_t i = 0; i < count; i += NODE)
			above[i / NODE] = starts[i];
		count = level_above(count);
		table->keys6[table->levels] = above;
		starts = above;
	}
}

int acl_table_build(const struct acl_arena *arena, enum acl_kind kind, const struct acl_rule *rules,
	size_t count, struct acl_table *table)
{
	struct acl_walk walk;
	size_t keys;

	memset(&walk, 0, sizeof(walk));
	walk_rules(&walk, rules, count); /* once to count, once to write */
	keys = walk.count + levels_size(walk.count);
	walk.decisions = acl_arena_allocate(
		arena, walk.count, sizeof(*walk.decisions), _Alignof(struct acl_decision));
	if (kind == ACL_IP4)
		walk.starts4 =
			acl_arena_allocate(arena, keys, sizeof(*walk.starts4), _Alignof(uint32_t));
	else
		walk.starts6 = acl_arena_allocate(
			arena, keys, sizeof(*walk.starts6), _Alignof(struct acl_key));
	if (walk.decisions == NULL || (walk.starts4 == NULL && walk.starts6 == NULL))
		return -1;
	walk_rules(&walk, rules, count);
	table->count = walk.count;
	table->decisions = walk.decisions;
	if (kind == ACL_IP4)
		table_index4(table, walk.starts4);
	else
		table_index6(table, walk.starts6);
	return 0;
}

/* How many of a node's ascending keys are at or below address: counted, without a branch. */
static size_t node_rank4(const uint32_t *keys, size_t count, uint32_t address)
{
	size_t rank = 0;

	for (size_t i = 0; i < count; i++)
		rank += keys[i] <= address;
	return rank;
}

static size_t node_rank6(const struct acl_key *keys, size_t count, struct acl_key address)
{
	size_t rank = 0;

	for (size_t i = 0; i < count; i++)
		rank += !key_below(address, keys[i]);
	return rank;
}

const struct acl_decision *acl_table_find(const struct acl_table *table, const uint8_t ip[16])
{
	const struct acl_key address = key_of(ip);
	size_t counts[ACL_LEVELS_MAX] = {table->count};
	size_t at = 0;

	for (unsigned level = 1; level < table->levels; level++)
		counts[level] = level_above(counts[level - 1]);
	for (unsigned level = table->levels; level-- > 0;) {
		size_t begin = at * NODE;
		size_t count = counts[level] - begin < NODE ? counts[level] - begin : NODE;

		if (level == 0) { /* the decision comes from memory while the node does */
			__builtin_prefetch(&table->decisions[begin]);
			__builtin_prefetch(&table->decisions[begin + count - 1]);
		}
		/* The last key at or below address: there is one, for a table starts at address 0
		   and a node with the key that led to it. */
		if (table->keys4[level] != NULL)
			at = begin - 1 +
			     node_rank4(table->keys4[level] + begin, count,
				     (uint32_t)(address.hi >> 32));
		else
			at = begin - 1 + node_rank6(table->keys6[level] + begin, count, address);
	}
	return &table->decisions[at];
}
