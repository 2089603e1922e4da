/*
 * test_acl_text: networks from text and back, and what is refused with which words.
 */
#include "config.h"
#include "superd/acl_text.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"

#define NO_NETWORK(text) \
	"'" text "' is no network (an address, ADDRESS/BITS, all, localhost, private or link-local)"

/* What text becomes: the networks with blanks between, or the message. */
static const char *parsed(
	int (*parse)(const char *text, size_t length, const struct acl_rule *origin,
		struct acl_rule *rules, size_t *count, struct error *error),
	const char *text, char *result, size_t size)
{
	static const struct acl_rule origin = {.line = 12345, .source = 678, .list = ACL_DENY};
	struct acl_rule rules[ACL_TEXT_RULES];
	char network[ACL_TEXT_SIZE];
	struct error error;
	size_t count;
	size_t used = 0;

	memset(rules, 0xa5, sizeof(rules));
	result[0] = '\0';
	if (parse(text, strlen(text), &origin, rules, &count, &error) != 0) {
		snprintf(result, size, "%s", error.text);
		return result;
	}
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(rules[i].line, origin.line);
		assert_int_equal(rules[i].source, origin.source);
		assert_int_equal(rules[i].list, origin.list);
		used += (size_t)snprintf(result + used, size - used, "%s%s", i > 0 ? " " : "",
			acl_text_format(&rules[i], network));
	}
	return result;
}

static const struct {
	const char *text;
	const char *expected;
} networks[] = {
	{"192.0.2.1", "192.0.2.1"},
	{"192.0.2.1/32", "192.0.2.1"},
	{"192.0.2.0/24", "192.0.2.0/24"},
	{"0.0.0.0/0", "0.0.0.0/0"},
	{"128.0.0.0/1", "128.0.0.0/1"},
	{"255.255.255.255", "255.255.255.255"},
	{"2001:DB8:0:0::1", "2001:db8::1"},
	{"2001:db8::/32", "2001:db8::/32"},
	{"::/0", "::/0"},
	{"::1/128", "::1"},
	{"8000::/1", "8000::/1"},
	{"2001:db8::/65", "2001:db8::/65"},
	/* IPv4-mapped is IPv4 from /96 on */
	{"::ffff:192.0.2.1", "192.0.2.1"},
	{"::ffff:c000:200/120", "192.0.2.0/24"},
	{"::ffff:0:0/96", "0.0.0.0/0"},
	{"::ffff:192.0.2.1/128", "192.0.2.1"},
	{"::fffe:0:0/95", "::fffe:0:0/95"},
	{"all", "0.0.0.0/0 ::/0 all"},
	{"localhost", "127.0.0.0/8 ::1"},
	{"private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"},
	{"link-local", "169.254.0.0/16 fe80::/10"},
	/* bits beyond the prefix */
	{"10.1.2.3/8", "'10.1.2.3/8' has bits set beyond its prefix (the network is 10.0.0.0/8)"},
	{"192.0.2.1/31", "'192.0.2.1/31' has bits set beyond its prefix (the network is "
			 "192.0.2.0/31)"},
	{"1.2.3.4/0", "'1.2.3.4/0' has bits set beyond its prefix (the network is "
		      "0.0.0.0/0)"},
	{"2001:db8::1/64", "'2001:db8::1/64' has bits set beyond its prefix (the network is "
			   "2001:db8::/64)"},
	{"::ffff:192.0.2.1/120",
		"'::ffff:192.0.2.1/120' has bits set beyond its prefix (the network is "
		"192.0.2.0/24)"},
	{"::ffff:0:0/80", "'::ffff:0:0/80' has bits set beyond its prefix (the network is "
			  "::/80)"},
	/* prefix lengths */
	{"10.0.0.0/33", "'10.0.0.0/33': the prefix length is not in 0..32"},
	{"10.0.0.0/", "'10.0.0.0/': the prefix length is not in 0..32"},
	{"10.0.0.0/08", "'10.0.0.0/08': the prefix length is not in 0..32"},
	{"10.0.0.0/-1", "'10.0.0.0/-1': the prefix length is not in 0..32"},
	{"10.0.0.0/8x", "'10.0.0.0/8x': the prefix length is not in 0..32"},
	{"10.0.0.0/8/8", "'10.0.0.0/8/8': the prefix length is not in 0..32"},
	{"10.0.0.0/255.0.0.0", "'10.0.0.0/255.0.0.0': the prefix length is not in 0..32"},
	{"10.0.0.0/4294967304", "'10.0.0.0/4294967304': the prefix length is not in 0..32"},
	{"::/129", "'::/129': the prefix length is not in 0..128"},
	/* no networks */
	{"", NO_NETWORK("")},
	{"/8", NO_NETWORK("/8")},
	{"10", NO_NETWORK("10")},
	{"10.0.0/24", NO_NETWORK("10.0.0/24")},
	{"010.0.0.1", NO_NETWORK("010.0.0.1")},
	{"256.0.0.1", NO_NETWORK("256.0.0.1")},
	{"1.2.3.4 ", NO_NETWORK("1.2.3.4 ")},
	{"fe80::1%eth0", NO_NETWORK("fe80::1%eth0")},
	{"[::1]", NO_NETWORK("[::1]")},
	{"1::2::3", NO_NETWORK("1::2::3")},
	{"All", NO_NETWORK("All")},
	{"all4", NO_NETWORK("all4")},
	{"al", NO_NETWORK("al")},
	{"user:root", NO_NETWORK("user:root")},
	{"host.example", NO_NETWORK("host.example")},
	{"a\033[2Jb\xff", NO_NETWORK("a?[2Jb?")},
	{"0000000000000000000000000000000000000000000000000000000000000000000000000000000",
		NO_NETWORK("00000000000000000000000000000000000000000000000000000000000000"
			   "00")},
};

static void test_parse(void **state)
{
	char result[512];

	(void)state;
	for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
		assert_string_equal(
			parsed(acl_text_parse, networks[i].text, result, sizeof(result)),
			networks[i].expected);
}

static void test_parse_line(void **state)
{
	static const struct {
		const char *line;
		const char *expected;
	} cases[] = {
		{"", ""},
		{" \t ", ""},
		{"# comment", ""},
		{"  # 10.0.0.0/8", ""},
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"\t10.0.0.0/8 # rfc 1918", "10.0.0.0/8"},
		{"10.0.0.0/8#", "10.0.0.0/8"},
		{"2001:db8::/32\r", "2001:db8::/32"},
		{"private", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7"},
		{"10.0.0.0/8 192.0.2.1",
			"'10.0.0.0/8 192.0.2.1': the prefix length is not in 0..32"},
		{"10.0.0.0/8;", "'10.0.0.0/8;': the prefix length is not in 0..32"},
	};
	char result[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
			parsed(acl_text_parse_line, cases[i].line, result, sizeof(result)),
			cases[i].expected);
}

/* A word ends where its length says, whatever stands behind it or inside. */
static void test_bounds(void **state)
{
	const struct acl_rule origin = {.list = ACL_ALLOW};
	struct acl_rule rules[ACL_TEXT_RULES];
	char text[ACL_TEXT_SIZE];
	struct error error;
	size_t count;

	(void)state;
	assert_int_equal(acl_text_parse("10.0.0.0/89", 10, &origin, rules, &count, &error), 0);
	assert_string_equal(acl_text_format(&rules[0], text), "10.0.0.0/8");
	assert_int_equal(acl_text_parse("10.0.0.1\0"
					"1",
				 10, &origin, rules, &count, &error),
		-1);
	assert_int_equal(acl_text_parse("10.0.0.1\0", 9, &origin, rules, &count, &error), -1);
	assert_int_equal(acl_text_parse("all\0", 4, &origin, rules, &count, &error), -1);
}

static void test_format_ids(void **state)
{
	struct acl_rule rule = {.kind = ACL_USER, .u.id = UINT32_MAX};
	char text[ACL_TEXT_SIZE];

	(void)state;
	assert_string_equal(acl_text_format(&rule, text), "user:4294967295");
	rule.kind = ACL_GROUP;
	assert_string_equal(acl_text_format(&rule, text), "group:4294967295");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_line),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_format_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
