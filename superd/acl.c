/*
 * acl: rules sorted into what decides about each family of peers, and the look-up there.
 */
#include "config.h"
#include "superd/acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "superd/acl_table.h"

/* Rules of users or groups, ascending by id, each id once. */
struct acl_ids {
	size_t count;
	const struct acl_rule *rules;
};

struct acl {
	bool has_allow;
	size_t rule_count; /* as given */
	uint64_t digest;   /* of these */
	struct acl_table ip4;
	struct acl_table ip6;
	struct acl_ids users;
	struct acl_ids groups;
	struct acl_ids all_unix; /* at most one */
};

const char *acl_list_name(enum acl_list list)
{
	static const char *const names[] = {"none", "allow", "deny"};

	return names[list];
}

/* --- building ------------------------------------------------------------------------------- */

/* Ascending; what decides comes first of what is about the same network or id. */
static int rule_compare(const void *left, const void *right)
{
	const struct acl_rule *one = left;
	const struct acl_rule *other = right;
	int order;

	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	if (one->kind == ACL_IP4 || one->kind == ACL_IP6)
		order = memcmp(one->u.ip, other->u.ip, sizeof(one->u.ip));
	else
		order = (one->u.id > other->u.id) - (one->u.id < other->u.id);
	if (order != 0)
		return order;
	if (one->prefix_length != other->prefix_length)
		return one->prefix_length < other->prefix_length ? -1 : 1;
	if (one->list != other->list)
		return one->list == ACL_DENY ? -1 : 1;
	if (one->source != other->source)
		return one->source < other->source ? -1 : 1;
	return (one->line > other->line) - (one->line < other->line);
}

/* *ids from count sorted rules of one kind; -1 where memory is out. */
static int ids_build(const struct acl_arena *arena, const struct acl_rule *rules, size_t count,
	struct acl_ids *ids)
{
	struct acl_rule *made =
		acl_arena_allocate(arena, count, sizeof(*made), _Alignof(struct acl_rule));

	if (made == NULL)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !acl_rule_same(&rules[i], &rules[i - 1]))
			made[ids->count++] = rules[i];
	}
	ids->rules = made;
	return 0;
}

/* The part of *acl that count sorted rules of kind make; -1 where memory is out. */
static int acl_build_kind(const struct acl_arena *arena, enum acl_kind kind,
	const struct acl_rule *rules, size_t count, struct acl *acl)
{
	switch (kind) {
	case ACL_IP4:
		return acl_table_build(arena, kind, rules, count, &acl->ip4);
	case ACL_IP6:
		return acl_table_build(arena, kind, rules, count, &acl->ip6);
	case ACL_UNIX:
		return ids_build(arena, rules, count, &acl->all_unix);
	case ACL_GROUP:
		return ids_build(arena, rules, count, &acl->groups);
	case ACL_USER:
		return ids_build(arena, rules, count, &acl->users);
	default:
		return 0;
	}
}

/* Whether rule is what the header says: the walk's stack relies on it. */
static bool rule_valid(const struct acl_rule *rule)
{
	uint8_t cut[16];

	if (rule->kind > ACL_USER || (rule->list != ACL_ALLOW && rule->list != ACL_DENY))
		return false;
	if (rule->kind != ACL_IP4 && rule->kind != ACL_IP6)
		return rule->prefix_length == 0;
	if (rule->prefix_length > (rule->kind == ACL_IP4 ? 32 : 128))
		return false;
	memcpy(cut, rule->u.ip, sizeof(cut));
	acl_ip_cut(cut, rule->prefix_length);
	return memcmp(cut, rule->u.ip, sizeof(cut)) == 0;
}

/* FNV-1a over what sorted rules say, without where they stand. */
static uint64_t rules_digest(const struct acl_rule *rules, size_t count)
{
	uint64_t digest = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < count; i++) {
		const struct acl_rule *rule = &rules[i];
		uint8_t facts[3 + sizeof(rule->u)] = {rule->kind, rule->prefix_length, rule->list};

		if (rule->kind == ACL_IP4 || rule->kind == ACL_IP6)
			memcpy(facts + 3, rule->u.ip, sizeof(rule->u.ip));
		else if (rule->kind != ACL_UNIX)
			memcpy(facts + 3, &rule->u.id, sizeof(rule->u.id));
		for (size_t j = 0; j < sizeof(facts); j++)
			digest = (digest ^ facts[j]) * UINT64_C(1099511628211);
	}
	return digest;
}

int acl_build(struct acl_rule *rules, size_t count, bool has_allow,
	void *(*allocate_cb)(void *owner, size_t size, size_t align), void *owner,
	const struct acl **acl, struct error *error)
{
	const struct acl_arena arena = {.allocate_cb = allocate_cb, .owner = owner};
	struct acl *made = acl_arena_allocate(&arena, 1, sizeof(*made), _Alignof(struct acl));
	size_t begin = 0;

	if (made == NULL)
		return error_set(error, ENOMEM, "acl");
	*made = (struct acl){.has_allow = has_allow};
	for (size_t i = 0; i < count; i++) {
		if (!rule_valid(&rules[i]))
			return error_set(error, EINVAL, "acl: rule %zu", i);
	}
	if (count > 0) /* qsort(3) may not be given NULL */
		qsort(rules, count, sizeof(*rules), rule_compare);
	made->rule_count = count;
	made->digest = rules_digest(rules, count);
	while (begin < count) {
		enum acl_kind kind = (enum acl_kind)rules[begin].kind;
		size_t end = begin;

		while (end < count && rules[end].kind == kind)
			end++;
		if (acl_build_kind(&arena, kind, &rules[begin], end - begin, made) != 0)
			return error_set(error, ENOMEM, "acl");
		begin = end;
	}
	*acl = made;
	return 0;
}

/* --- looking up ----------------------------------------------------------------------------- */

/* The rule that decides about an address of kind; list ACL_NONE where there is none. */
static void check_ip(
	const struct acl *acl, enum acl_kind kind, const uint8_t ip[16], struct acl_rule *rule)
{
	const struct acl_table *table = kind == ACL_IP4 ? &acl->ip4 : &acl->ip6;
	const struct acl_decision *decision;

	if (table->count == 0)
		return;
	decision = acl_table_find(table, ip);
	if (decision->list == ACL_NONE)
		return;
	rule->kind = (uint8_t)kind;
	rule->list = decision->list;
	rule->prefix_length = decision->prefix_length;
	rule->source = decision->source;
	rule->line = decision->line;
	memcpy(rule->u.ip, ip, 16);
	acl_ip_cut(rule->u.ip, rule->prefix_length);
}

static const struct acl_rule *ids_find(const struct acl_ids *ids, uint32_t id)
{
	size_t low = 0;
	size_t high = ids->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ids->rules[middle].u.id == id)
			return &ids->rules[middle];
		if (ids->rules[middle].u.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Of rules about different groups of one peer: whether one goes before the other. */
static bool group_before(const struct acl_rule *one, const struct acl_rule *other)
{
	if (one->list != other->list)
		return one->list == ACL_DENY;
	return one->source != other->source ? one->source < other->source : one->line < other->line;
}

/* A user's rule before its groups', of which one that denies wins, before the one for all. */
static void check_unix(const struct acl *acl, const struct peer *peer, const gid_t *groups,
	size_t group_count, struct acl_rule *rule)
{
	const struct acl_rule *found = ids_find(&acl->users, peer->u.cred.uid);

	if (found == NULL) {
		found = ids_find(&acl->groups, peer->u.cred.gid);
		for (size_t i = 0; i < group_count; i++) {
			const struct acl_rule *other = ids_find(&acl->groups, groups[i]);

			if (other != NULL && (found == NULL || group_before(other, found)))
				found = other;
		}
	}
	if (found == NULL && acl->all_unix.count > 0)
		found = acl->all_unix.rules;
	if (found != NULL)
		*rule = *found;
}

bool acl_check(const struct acl *acl, const struct peer *peer, const gid_t *groups,
	size_t group_count, struct acl_rule *rule)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct acl_rule found = {.list = ACL_NONE};
	uint8_t ip4[16] = {0};

	if (acl == NULL) {
		/* nobody is refused by rules that do not exist */
	} else if (peer->family == AF_INET) {
		memcpy(ip4, peer->u.ip, 4);
		check_ip(acl, ACL_IP4, ip4, &found);
	} else if (peer->family == AF_INET6 && memcmp(peer->u.ip, mapped, sizeof(mapped)) == 0) {
		memcpy(ip4, peer->u.ip + sizeof(mapped), 4);
		check_ip(acl, ACL_IP4, ip4, &found);
	} else if (peer->family == AF_INET6) {
		check_ip(acl, ACL_IP6, peer->u.ip, &found);
	} else if (peer->family == AF_UNIX) {
		check_unix(acl, peer, groups, group_count, &found);
	}
	if (rule != NULL)
		*rule = found;
	if (found.list == ACL_NONE)
		return acl == NULL || !acl->has_allow;
	return found.list == ACL_ALLOW;
}

bool acl_same(const struct acl *one, const struct acl *other)
{
	if (one == NULL || other == NULL)
		return one == other;
	return one->has_allow == other->has_allow && one->rule_count == other->rule_count &&
	       one->digest == other->digest;
}

bool acl_has_groups(const struct acl *acl)
{
	return acl != NULL && acl->groups.count > 0;
}
