/*
 * acl: who may connect.  Rules of two lists, allow and deny, become one table that answers for
 * a peer which rule decides.
 *
 * The most specific match over both lists decides and a tie refuses; where nothing matches, a
 * peer is accepted if there is no allow list and refused otherwise.  IPv4 and IPv6 are apart: an
 * IPv4-mapped address is IPv4 before any rule is looked at, so "::/0" says nothing about it.  Of
 * unix peers a user is more specific than a group, and a group than `all`.
 */
#ifndef SUPERD_ACL_H
#define SUPERD_ACL_H

#include "superd/addr.h"
#include "superd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum acl_kind {
	ACL_IP4,
	ACL_IP6,
	ACL_UNIX, /* every unix peer */
	ACL_GROUP,
	ACL_USER
};

enum acl_list { ACL_NONE, ACL_ALLOW, ACL_DENY };

/* "none", "allow", "deny". */
const char *acl_list_name(enum acl_list list);

/* One rule; small, for there may be a million. */
struct acl_rule {
	union {
		uint8_t ip[16]; /* of a network: nothing set beyond the prefix; IPv4 uses the
				   first 4, the others are 0 */
		uint32_t id;    /* of ACL_USER and ACL_GROUP */
	} u;
	uint32_t line;         /* where the rule was written: a line, */
	uint16_t source;       /* and the caller's index of a file */
	uint8_t kind;          /* enum acl_kind */
	uint8_t prefix_length; /* 0..32, 0..128; 0 where there is none */
	uint8_t list;          /* enum acl_list: ACL_ALLOW or ACL_DENY */
};

/* Built once and never changed: safe to share and to map read-only.  Holds no descriptor, no
   pointer outside its own memory, and nothing to free. */
struct acl;

/*
 * Builds *acl in memory from allocate_cb(owner, size, align), which it asks for at most eight
 * pieces (25 bytes for an IPv4 network, 51 for an IPv6 one) and which returns NULL where there is
 * none.  Sorts rules (the caller's) in place; a rule that stands in one list twice counts where
 * it comes first.  has_allow says that an allow list was written: one that turned out empty (a
 * file without networks) must still refuse.  Returns 0, or -1 with *error (ENOMEM, or EINVAL: a
 * rule is not as described above); the pieces that were handed out are then the arena's to drop.
 */
int acl_build(struct acl_rule *rules, size_t count, bool has_allow,
	void *(*allocate_cb)(void *owner, size_t size, size_t align), void *owner,
	const struct acl **acl, struct error *error);

/*
 * Whether peer may connect; acl may be NULL (no rules: yes).  groups are the group_count
 * supplementary groups of a unix peer (SO_PEERGROUPS), which count as its own group does.
 * Where rule is not NULL it becomes the rule that decided, with its list ACL_NONE where none did.
 */
bool acl_check(const struct acl *acl, const struct peer *peer, const gid_t *groups,
	size_t group_count, struct acl_rule *rule);

/*
 * Whether two acls, each NULL or built, have the same rules; where they were written does not
 * count. By a digest of 64 bits: a test for people and logs, nothing may depend on it.
 */
bool acl_same(const struct acl *one, const struct acl *other);

/* Whether any rule names a group: otherwise nobody needs to ask for those of a unix peer. */
bool acl_has_groups(const struct acl *acl);

#endif
