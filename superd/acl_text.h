/*
 * acl_text: networks as people write them, to rules and back.
 *
 * Strict: what could be a slip of the pen (bits set beyond the prefix, leading zeros) is an
 * error, never a wider or narrower network.
 */
#ifndef SUPERD_ACL_TEXT_H
#define SUPERD_ACL_TEXT_H

#include "superd/acl.h"
#include "superd/error.h"

#include <stddef.h>

/* The most rules that one word stands for ("private"). */
#define ACL_TEXT_RULES 4

/*
 * Parses the length bytes of text, which need no NUL behind them: an address, ADDRESS/BITS,
 * `all` (all IPv4, IPv6 and unix peers), `localhost` (127.0.0.0/8, ::1), `private` (10.0.0.0/8,
 * 172.16.0.0/12, 192.168.0.0/16, fc00::/7) or `link-local` (169.254.0.0/16, fe80::/10).  An
 * IPv4-mapped network becomes the IPv4 one.  user:, group: and file: are the caller's.
 * Each of the *count rules made gets its list, source and line from origin.  Allocates nothing.
 * Returns 0, or -1 with *error.
 */
int acl_text_parse(const char *text, size_t length, const struct acl_rule *origin,
	struct acl_rule rules[ACL_TEXT_RULES], size_t *count, struct error *error);

/*
 * Parses one line of a list of networks, without its newline: one network with blanks around it
 * and a comment ('#') behind it, or nothing (*count is 0 then).  Otherwise as acl_text_parse().
 */
int acl_text_parse_line(const char *line, size_t length, const struct acl_rule *origin,
	struct acl_rule rules[ACL_TEXT_RULES], size_t *count, struct error *error);

/* Longest text of acl_text_format(), with its NUL. */
#define ACL_TEXT_SIZE 52

/* Writes "10.0.0.0/8", "2001:db8::1", "user:1000", "group:7" or "all" to text; returns text. */
char *acl_text_format(const struct acl_rule *rule, char text[ACL_TEXT_SIZE]);

#endif
