/*
 * test_acl: which rule decides, by table and against a naive implementation that looks at every
 * rule for every peer.
 */
#include "config.h"
#include "superd/acl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "superd/acl_text.h"
#include "tests/unit/unit.h"

#define PIECES_MAX 8
#define RULES_MAX 700
#define ROUNDS 300

/* The arena: keeps what it handed out, and may refuse from a piece on. */
struct memory {
	void *pieces[PIECES_MAX];
	size_t count;
	size_t limit;
};

static void *memory_allocate(void *owner, size_t size, size_t align)
{
	struct memory *memory = owner;
	void *piece;

	assert_true(memory->count < PIECES_MAX);
	if (memory->count == memory->limit)
		return NULL;
	piece = aligned_alloc(align < sizeof(void *) ? sizeof(void *) : align,
		(size + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *));
	assert_non_null(piece);
	memset(piece, 0xa5, size); /* an arena need not be zero */
	memory->pieces[memory->count++] = piece;
	return piece;
}

static void memory_drop(struct memory *memory)
{
	while (memory->count > 0)
		free(memory->pieces[--memory->count]);
}

/* --- by table ------------------------------------------------------------------------------- */

/* Appends the words of text to rules as list; "user:N" and "group:N" too. */
static size_t rules_append(
	struct acl_rule *rules, size_t count, const char *text, enum acl_list list)
{
	struct acl_rule origin = {.list = (uint8_t)list};
	struct error error;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");
		size_t made = 1;

		origin.line = (uint32_t)count;
		if (strncmp(text, "user:", 5) == 0 || strncmp(text, "group:", 6) == 0) {
			rules[count] = origin;
			rules[count].kind = text[0] == 'u' ? ACL_USER : ACL_GROUP;
			rules[count].u.id = (uint32_t)strtoul(strchr(text, ':') + 1, NULL, 10);
		} else if (acl_text_parse(text, length, &origin, rules + count, &made, &error) !=
			   0) {
			fail_msg("%s", error.text);
		}
		count += made;
		text += length + strspn(text + length, " ");
	}
	return count;
}

/* An address, or "unix:UID,GID". */
static struct peer peer_of(const char *text)
{
	struct peer peer = {.family = AF_INET};

	if (sscanf(text, "unix:%u,%u", &peer.u.cred.uid, &peer.u.cred.gid) == 2) {
		peer.family = AF_UNIX;
	} else if (inet_pton(AF_INET, text, peer.u.ip) != 1) {
		peer.family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, peer.u.ip), 1);
	}
	return peer;
}

static const struct {
	const char *allow;
	const char *deny;
	const char *peer;
	bool is_allowed;
	const char *decided; /* by this network, "" by none */
} verdicts[] = {
	/* no match: accepted if there is no allow list */
	{"", "", "192.0.2.1", true, ""},
	{"", "10.0.0.0/8", "192.0.2.1", true, ""},
	{"10.0.0.0/8", "", "192.0.2.1", false, ""},
	{"10.0.0.0/8", "", "2001:db8::1", false, ""},
	{"10.0.0.0/8", "", "unix:0,0", false, ""},
	{"", "10.0.0.0/8", "unix:0,0", true, ""},
	/* the most specific match over both lists; a tie refuses */
	{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", false, "10.1.0.0/16"},
	{"10.1.0.0/16", "10.0.0.0/8", "10.1.2.3", true, "10.1.0.0/16"},
	{"10.1.0.0/16", "10.0.0.0/8", "10.2.2.3", false, "10.0.0.0/8"},
	{"10.1.2.3 10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", true, "10.1.2.3"},
	{"10.1.2.3 10.0.0.0/8", "10.1.0.0/16", "10.1.2.4", false, "10.1.0.0/16"},
	{"10.1.2.3 10.0.0.0/8", "10.1.0.0/16", "10.2.0.0", true, "10.0.0.0/8"},
	{"10.0.0.0/8", "10.0.0.0/8", "10.0.0.1", false, "10.0.0.0/8"},
	{"all", "all", "192.0.2.1", false, "0.0.0.0/0"},
	{"all", "all", "unix:5,5", false, "all"},
	/* edges */
	{"0.0.0.0/0", "", "0.0.0.0", true, "0.0.0.0/0"},
	{"0.0.0.0/0", "", "255.255.255.255", true, "0.0.0.0/0"},
	{"", "255.255.255.255", "255.255.255.255", false, "255.255.255.255"},
	{"", "255.255.255.255", "255.255.255.254", true, ""},
	{"", "0.0.0.0", "0.0.0.0", false, "0.0.0.0"},
	{"", "0.0.0.0", "0.0.0.1", true, ""},
	{"192.0.2.0/24", "", "192.0.2.0", true, "192.0.2.0/24"},
	{"192.0.2.0/24", "", "192.0.2.255", true, "192.0.2.0/24"},
	{"192.0.2.0/24", "", "192.0.1.255", false, ""},
	{"192.0.2.0/24", "", "192.0.3.0", false, ""},
	{"::/0", "", "::", true, "::/0"},
	{"::/0", "", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true, "::/0"},
	{"", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		false, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"", "::", "::", false, "::"},
	{"", "::", "::1", true, ""},
	{"2001:db8::/64", "", "2001:db8::ffff:ffff:ffff:ffff", true, "2001:db8::/64"},
	{"2001:db8::/64", "", "2001:db8:0:1::", false, ""},
	{"2001:db8::/65", "", "2001:db8::8000:0:0:0", false, ""},
	{"2001:db8::/63", "", "2001:db8:0:1:ffff::", true, "2001:db8::/63"},
	/* families apart, IPv4-mapped is IPv4 on either side */
	{"", "::/0", "192.0.2.1", true, ""},
	{"", "0.0.0.0/0", "2001:db8::1", true, ""},
	{"", "::/0", "::ffff:192.0.2.1", true, ""},
	{"", "192.0.2.0/24", "::ffff:192.0.2.1", false, "192.0.2.0/24"},
	{"", "::ffff:192.0.2.0/120", "192.0.2.1", false, "192.0.2.0/24"},
	{"", "::ffff:192.0.2.1", "192.0.2.1", false, "192.0.2.1"},
	{"", "::/64", "::192.0.2.1", false, "::/64"},
	/* words */
	{"localhost", "", "127.9.9.9", true, "127.0.0.0/8"},
	{"localhost", "", "::1", true, "::1"},
	{"localhost", "", "::2", false, ""},
	{"localhost", "", "unix:0,0", false, ""},
	{"private", "", "172.31.255.255", true, "172.16.0.0/12"},
	{"private", "", "172.32.0.0", false, ""},
	{"private", "", "fdff::1", true, "fc00::/7"},
	{"link-local", "", "169.254.1.1", true, "169.254.0.0/16"},
	{"link-local", "", "febf::1", true, "fe80::/10"},
	/* unix peers: user, group, all */
	{"user:7", "", "unix:7,1", true, "user:7"},
	{"user:7", "", "unix:8,7", false, ""},
	{"user:7", "group:1", "unix:7,1", true, "user:7"},
	{"group:1", "user:7", "unix:7,1", false, "user:7"},
	{"group:1", "all", "unix:7,1", true, "group:1"},
	{"group:1", "all", "unix:7,2", false, "all"},
	{"group:1", "group:1", "unix:7,1", false, "group:1"},
	{"user:1 user:2 user:3 user:4 user:5", "", "unix:5,0", true, "user:5"},
	{"user:1 user:2 user:3 user:4 user:5", "", "unix:6,0", false, ""},
	{"user:7", "", "192.0.2.1", false, ""},
};

static void test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		struct memory memory = {.limit = PIECES_MAX};
		struct peer peer = peer_of(verdicts[i].peer);
		struct acl_rule rules[32];
		struct acl_rule decided;
		char text[ACL_TEXT_SIZE] = "";
		const struct acl *acl;
		size_t allows = rules_append(rules, 0, verdicts[i].allow, ACL_ALLOW);
		size_t count = rules_append(rules, allows, verdicts[i].deny, ACL_DENY);
		bool is_allowed;

		assert_int_equal(
			acl_build(rules, count, allows > 0, memory_allocate, &memory, &acl, NULL),
			0);
		is_allowed = acl_check(acl, &peer, NULL, 0, &decided);
		if (decided.list != ACL_NONE)
			acl_text_format(&decided, text);
		if (is_allowed != verdicts[i].is_allowed || strcmp(text, verdicts[i].decided) != 0)
			fail_msg("allow '%s' deny '%s' peer %s: %d by '%s'", verdicts[i].allow,
				verdicts[i].deny, verdicts[i].peer, is_allowed, text);
		memory_drop(&memory);
	}
}

static void test_supplementary_groups(void **state)
{
	static const gid_t groups[] = {20, 30, 40};
	struct memory memory = {.limit = PIECES_MAX};
	struct peer peer = peer_of("unix:1000,10");
	struct acl_rule rules[8];
	struct acl_rule decided;
	const struct acl *acl;
	size_t count = rules_append(rules, 0, "group:30", ACL_ALLOW);

	(void)state;
	acl_build(rules, count, true, memory_allocate, &memory, &acl, NULL);
	assert_true(acl_has_groups(acl));
	assert_false(acl_check(acl, &peer, NULL, 0, NULL));
	assert_true(acl_check(acl, &peer, groups, 3, NULL));
	memory_drop(&memory);
	count = rules_append(rules, 0, "group:10 group:20 group:30", ACL_ALLOW);
	count = rules_append(rules, count, "group:40", ACL_DENY); /* one that denies wins */
	acl_build(rules, count, true, memory_allocate, &memory, &acl, NULL);
	assert_true(acl_check(acl, &peer, groups, 2, &decided));
	assert_int_equal(decided.u.id, 10);
	assert_false(acl_check(acl, &peer, groups, 3, &decided));
	assert_int_equal(decided.u.id, 40);
	memory_drop(&memory);
}

static void test_no_rules(void **state)
{
	struct memory memory = {.limit = PIECES_MAX};
	struct peer none = {.family = AF_UNSPEC};
	struct peer peer = peer_of("192.0.2.1");
	const struct acl *acl;

	(void)state;
	assert_true(acl_check(NULL, &peer, NULL, 0, NULL));
	assert_false(acl_has_groups(NULL));
	assert_int_equal(acl_build(NULL, 0, false, memory_allocate, &memory, &acl, NULL), 0);
	assert_true(acl_check(acl, &peer, NULL, 0, NULL));
	assert_true(acl_check(acl, &none, NULL, 0, NULL));
	memory_drop(&memory);
	/* an allow list that came out empty lets nobody in */
	assert_int_equal(acl_build(NULL, 0, true, memory_allocate, &memory, &acl, NULL), 0);
	assert_false(acl_check(acl, &peer, NULL, 0, NULL));
	assert_false(acl_check(acl, &none, NULL, 0, NULL));
	memory_drop(&memory);
}

static void test_build_fails(void **state)
{
	static const struct acl_rule bad[] = {
		{.kind = ACL_IP4, .prefix_length = 33, .list = ACL_DENY},
		{.kind = ACL_IP6, .prefix_length = 129, .list = ACL_DENY},
		{.kind = ACL_IP4, .prefix_length = 8, .u.ip = {10, 1}, .list = ACL_DENY},
		{.kind = ACL_IP4, .prefix_length = 32, .u.ip = {[4] = 1}, .list = ACL_DENY},
		{.kind = ACL_USER, .prefix_length = 1, .list = ACL_DENY},
		{.kind = ACL_USER + 1, .list = ACL_DENY},
		{.kind = ACL_IP4},
	};
	const struct acl *acl;
	struct error error;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct memory memory = {.limit = PIECES_MAX};
		struct acl_rule rule = bad[i];

		assert_int_equal(
			acl_build(&rule, 1, false, memory_allocate, &memory, &acl, &error), -1);
		assert_int_equal(error.code, EINVAL);
		memory_drop(&memory);
	}
	for (size_t limit = 0; limit < PIECES_MAX; limit++) {
		struct memory memory = {.limit = limit};
		struct acl_rule rules[8];
		size_t count = rules_append(rules, 0, "all user:1 group:1", ACL_DENY);

		assert_int_equal(
			acl_build(rules, count, false, memory_allocate, &memory, &acl, &error), -1);
		assert_int_equal(error.code, ENOMEM);
		memory_drop(&memory);
	}
}

/* --- against a naive implementation --------------------------------------------------------- */

static unsigned random_below(unsigned limit)
{
	return (unsigned)random() % limit;
}

/* Few different bytes, so that networks nest, touch and repeat. */
static void random_ip(uint8_t ip[16], size_t size)
{
	static const uint8_t bytes[] = {0x00, 0xff, 0x80, 0x7f, 0x0a};

	memset(ip, 0, 16);
	for (size_t i = 0; i < size; i++)
		ip[i] = random_below(8) == 0 ? (uint8_t)random() : bytes[random_below(5)];
}

/* Sets (or clears) each bit of ip from the prefix to size bytes. */
static void fill_ip(uint8_t ip[16], unsigned prefix_length, size_t size, bool value)
{
	for (unsigned bit = prefix_length; bit < size * 8; bit++) {
		uint8_t mask = (uint8_t)(0x80U >> bit % 8);

		ip[bit / 8] = (uint8_t)(value ? ip[bit / 8] | mask : ip[bit / 8] & ~mask);
	}
}

static size_t ip_size(const struct acl_rule *rule)
{
	return rule->kind == ACL_IP4 ? 4 : 16;
}

static void random_rule(struct acl_rule *rules, size_t at)
{
	struct acl_rule *rule = &rules[at];

	if (at > 0 && random_below(6) == 0) { /* once more, in either list */
		*rule = rules[random_below((unsigned)at)];
	} else {
		memset(rule, 0, sizeof(*rule));
		rule->kind = random_below(2) == 0 ? ACL_IP4 : ACL_IP6;
		rule->prefix_length = (uint8_t)random_below((unsigned)ip_size(rule) * 8 + 1);
		random_ip(rule->u.ip, ip_size(rule));
		fill_ip(rule->u.ip, rule->prefix_length, ip_size(rule), false);
	}
	rule->list = random_below(2) == 0 ? ACL_ALLOW : ACL_DENY;
	rule->source = (uint16_t)random_below(3);
	rule->line = (uint32_t)at;
}

/* A peer at an edge of a rule's network, just outside, or anywhere. */
static struct peer random_peer(const struct acl_rule *rules, size_t count)
{
	struct peer peer = {.family = random_below(2) == 0 ? AF_INET : AF_INET6};
	const struct acl_rule *rule = count > 0 ? &rules[random_below((unsigned)count)] : NULL;
	unsigned how = random_below(5);
	bool is_last = how % 2 == 0;

	random_ip(peer.u.ip, peer.family == AF_INET ? 4 : 16);
	if (rule == NULL || how == 4)
		return peer;
	peer.family = rule->kind == ACL_IP4 ? AF_INET : AF_INET6;
	memcpy(peer.u.ip, rule->u.ip, 16);
	fill_ip(peer.u.ip, rule->prefix_length, ip_size(rule), is_last);
	for (size_t i = ip_size(rule); how >= 2 && i-- > 0;) { /* one further, around the ends */
		peer.u.ip[i] = (uint8_t)(peer.u.ip[i] + (is_last ? 1 : -1));
		if (peer.u.ip[i] != (is_last ? 0 : 0xff))
			break;
	}
	return peer;
}

static bool naive_match(const struct acl_rule *rule, const struct peer *peer)
{
	if (peer->family != (rule->kind == ACL_IP4 ? AF_INET : AF_INET6))
		return false;
	for (unsigned bit = 0; bit < rule->prefix_length; bit++) {
		if (((rule->u.ip[bit / 8] ^ peer->u.ip[bit / 8]) & 0x80U >> bit % 8) != 0)
			return false;
	}
	return true;
}

/* The rule that decides, or NULL. */
static const struct acl_rule *naive_find(
	const struct acl_rule *rules, size_t count, const struct peer *peer)
{
	const struct acl_rule *best = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct acl_rule *rule = &rules[i];
		int order;

		if (!naive_match(rule, peer))
			continue;
		order = best == NULL ? 1 : rule->prefix_length - best->prefix_length;
		if (order == 0)
			order = (rule->list == ACL_DENY) - (best->list == ACL_DENY);
		if (order == 0)
			order = best->source - rule->source;
		if (order > 0 || (order == 0 && rule->line < best->line))
			best = rule;
	}
	return best;
}

static void compare(const struct acl *acl, bool has_allow, const struct acl_rule *rules,
	size_t count, struct peer peer)
{
	const struct acl_rule *expected = naive_find(rules, count, &peer);
	bool is_allowed = expected == NULL ? !has_allow : expected->list == ACL_ALLOW;
	struct acl_rule decided;

	if (peer.family == AF_INET && random_below(4) == 0) { /* the same in its other guise */
		peer.family = AF_INET6;
		memcpy(peer.u.ip + 12, peer.u.ip, 4);
		memcpy(peer.u.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	}
	assert_int_equal(acl_check(acl, &peer, NULL, 0, &decided), is_allowed);
	if (expected == NULL)
		assert_int_equal(decided.list, ACL_NONE);
	else
		assert_memory_equal(&decided, expected, sizeof(decided));
}

static void test_random_against_naive(void **state)
{
	static const unsigned sizes[] = {2, 8, 60, RULES_MAX};
	static struct acl_rule rules[RULES_MAX];
	static struct acl_rule sorted[RULES_MAX];
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("# seed %u\n", seed);
	srandom(seed);
	for (int round = 0; round < ROUNDS; round++) {
		struct memory memory = {.limit = PIECES_MAX};
		size_t count = random_below(sizes[random_below(4)]);
		bool has_allow = random_below(2) == 0;
		const struct acl *acl;

		for (size_t i = 0; i < count; i++)
			random_rule(rules, i);
		memcpy(sorted, rules, count * sizeof(rules[0]));
		assert_int_equal(
			acl_build(sorted, count, has_allow, memory_allocate, &memory, &acl, NULL),
			0);
		for (int i = 0; i < 300; i++)
			compare(acl, has_allow, rules, count, random_peer(rules, count));
		memory_drop(&memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_supplementary_groups),
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_build_fails),
		cmocka_unit_test(test_random_against_naive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
