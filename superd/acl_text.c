/*
 * acl_text: one word to one rule or several.  Runs a million times when a long list is loaded,
 * so nothing is copied but the few bytes that inet_pton(3) needs with a NUL behind them.
 */
#include "config.h"
#include "superd/acl_text.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define QUOTE_SIZE 65 /* of a faulty word as much as a message shows */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* A word that stands for networks. */
struct acl_name {
	const char *name;
	size_t count;
	struct acl_rule rules[ACL_TEXT_RULES];
};

static const struct acl_name names[] = {
	{"all", 3, {{.kind = ACL_IP4}, {.kind = ACL_IP6}, {.kind = ACL_UNIX}}},
	{"localhost", 2,
		{{.kind = ACL_IP4, .prefix_length = 8, .u.ip = {127}},
			{.kind = ACL_IP6, .prefix_length = 128, .u.ip = {[15] = 1}}}},
	{"private", 4,
		{{.kind = ACL_IP4, .prefix_length = 8, .u.ip = {10}},
			{.kind = ACL_IP4, .prefix_length = 12, .u.ip = {172, 16}},
			{.kind = ACL_IP4, .prefix_length = 16, .u.ip = {192, 168}},
			{.kind = ACL_IP6, .prefix_length = 7, .u.ip = {0xfc}}}},
	{"link-local", 2,
		{{.kind = ACL_IP4, .prefix_length = 16, .u.ip = {169, 254}},
			{.kind = ACL_IP6, .prefix_length = 10, .u.ip = {0xfe, 0x80}}}},
};

/* Writes the beginning of text to quote, each byte that is not printable as '?'. */
static const char *text_quote(const char *text, size_t length, char quote[QUOTE_SIZE])
{
	size_t i;

	for (i = 0; i < length && i < QUOTE_SIZE - 1; i++)
		quote[i] = (char)(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
	quote[i] = '\0';
	return quote;
}

static int fail_no_network(const char *text, size_t length, struct error *error)
{
	char quote[QUOTE_SIZE];

	return error_set(error, 0,
		"'%s' is no network (an address, ADDRESS/BITS, all, localhost, private or "
		"link-local)",
		text_quote(text, length, quote));
}

static const struct acl_name *name_find(const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strlen(names[i].name) == length && memcmp(names[i].name, text, length) == 0)
			return &names[i];
	}
	return NULL;
}

/* The address alone, as a network of its full length; -1 where text is none. */
static int address_parse(const char *text, size_t length, struct acl_rule *rule)
{
	char host[INET6_ADDRSTRLEN];

	if (length >= sizeof(host))
		return -1;
	memcpy(host, text, length);
	host[length] = '\0';
	memset(rule->u.ip, 0, sizeof(rule->u.ip));
	if (strlen(host) != length) /* a NUL inside */
		return -1;
	if (memchr(host, ':', length) == NULL) {
		rule->kind = ACL_IP4;
		rule->prefix_length = 32;
		return inet_pton(AF_INET, host, rule->u.ip) == 1 ? 0 : -1;
	}
	rule->kind = ACL_IP6;
	rule->prefix_length = 128;
	return inet_pton(AF_INET6, host, rule->u.ip) == 1 ? 0 : -1;
}

/* The number behind the slash: decimal, at most 3 digits, no leading zero; -1 where it is not. */
static int bits_parse(const char *text, size_t length)
{
	int bits = 0;

	if (length == 0 || length > 3 || (length > 1 && text[0] == '0'))
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		bits = bits * 10 + (text[i] - '0');
	}
	return bits;
}

/* An IPv4-mapped network becomes what it stands for. */
static void rule_unmap(struct acl_rule *rule)
{
	if (rule->kind != ACL_IP6 || rule->prefix_length < 96 ||
		memcmp(rule->u.ip, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	rule->kind = ACL_IP4;
	rule->prefix_length = (uint8_t)(rule->prefix_length - 96);
	memcpy(rule->u.ip, rule->u.ip + 12, 4);
	memset(rule->u.ip + 4, 0, 12);
}

/* Clears the bits beyond the prefix; returns whether any was set. */
static bool rule_cut(struct acl_rule *rule)
{
	uint8_t found = 0;

	for (unsigned i = rule->prefix_length / 8; i < sizeof(rule->u.ip); i++) {
		unsigned kept = i == rule->prefix_length / 8 ? rule->prefix_length % 8 : 0;
		uint8_t beyond = (uint8_t)(0xff >> kept);

		found |= rule->u.ip[i] & beyond;
		rule->u.ip[i] = (uint8_t)(rule->u.ip[i] & ~beyond);
	}
	return found != 0;
}

/* ADDRESS or ADDRESS/BITS. */
static int network_parse(
	const char *text, size_t length, struct acl_rule *rule, struct error *error)
{
	const char *slash = memchr(text, '/', length);
	char quote[QUOTE_SIZE];
	char meant[ACL_TEXT_SIZE];
	int bits;

	if (address_parse(text, slash == NULL ? length : (size_t)(slash - text), rule) != 0)
		return fail_no_network(text, length, error);
	if (slash == NULL) {
		rule_unmap(rule);
		return 0;
	}
	bits = bits_parse(slash + 1, length - (size_t)(slash + 1 - text));
	if (bits < 0 || bits > rule->prefix_length)
		return error_set(error, 0, "'%s': the prefix length is not in 0..%u",
			text_quote(text, length, quote), rule->prefix_length);
	rule->prefix_length = (uint8_t)bits;
	rule_unmap(rule);
	if (rule_cut(rule))
		return error_set(error, 0,
			"'%s' has bits set beyond its prefix (the network is %s)",
			text_quote(text, length, quote), acl_text_format(rule, meant));
	return 0;
}

int acl_text_parse(const char *text, size_t length, const struct acl_rule *origin,
	struct acl_rule rules[ACL_TEXT_RULES], size_t *count, struct error *error)
{
	const struct acl_name *name = name_find(text, length);

	if (name == NULL) {
		*count = 1;
		rules[0] = *origin;
		return network_parse(text, length, &rules[0], error);
	}
	*count = name->count;
	for (size_t i = 0; i < name->count; i++) {
		rules[i] = name->rules[i];
		rules[i].list = origin->list;
		rules[i].source = origin->source;
		rules[i].line = origin->line;
	}
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

int acl_text_parse_line(const char *line, size_t length, const struct acl_rule *origin,
	struct acl_rule rules[ACL_TEXT_RULES], size_t *count, struct error *error)
{
	const char *comment = memchr(line, '#', length);

	if (comment != NULL)
		length = (size_t)(comment - line);
	while (length > 0 && is_blank(line[0])) {
		line++;
		length--;
	}
	while (length > 0 && is_blank(line[length - 1]))
		length--;
	*count = 0;
	if (length == 0)
		return 0;
	return acl_text_parse(line, length, origin, rules, count, error);
}

char *acl_text_format(const struct acl_rule *rule, char text[ACL_TEXT_SIZE])
{
	int family = rule->kind == ACL_IP4 ? AF_INET : AF_INET6;
	unsigned full = rule->kind == ACL_IP4 ? 32 : 128;
	size_t used;

	switch ((enum acl_kind)rule->kind) {
	case ACL_USER:
		snprintf(text, ACL_TEXT_SIZE, "user:%u", rule->u.id);
		return text;
	case ACL_GROUP:
		snprintf(text, ACL_TEXT_SIZE, "group:%u", rule->u.id);
		return text;
	case ACL_IP4:
	case ACL_IP6:
		if (inet_ntop(family, rule->u.ip, text, ACL_TEXT_SIZE) == NULL)
			text[0] = '\0';
		used = strlen(text);
		if (rule->prefix_length < full)
			snprintf(text + used, ACL_TEXT_SIZE - used, "/%u", rule->prefix_length);
		return text;
	default:
		snprintf(text, ACL_TEXT_SIZE, "all");
		return text;
	}
}
