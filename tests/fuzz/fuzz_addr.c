/*
 * fuzz_addr: any text as an address; what is taken for one must come back the same from its own
 * text, and no text is longer than promised.
 */
#include "config.h"

#include "superd/addr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_ip(const char *text)
{
	char canonical[ADDR_TEXT_SIZE];
	char host[ADDR_TEXT_SIZE];
	struct addr addr, again;
	struct peer peer;

	if (addr_parse_ip(text, 7, &addr) != 0)
		return;
	if (strlen(addr_format(&addr, canonical)) >= sizeof(canonical) || addr_port(&addr) != 7)
		abort();
	if (!addr_equal(&addr, &addr))
		abort();
	peer_set(&peer, &addr.u.any, addr.length);
	peer_format_host(&peer, host);
	/* A v4-mapped address is shown as the IPv4 address that it stands for; no peer is a
	   multicast address, so none has its scope kept. */
	if (addr_family(&addr) == AF_INET6 && IN6_IS_ADDR_MULTICAST(&addr.u.in6.sin6_addr))
		return;
	if (peer.family == addr_family(&addr) &&
		(addr_parse_ip(host, 7, &again) != 0 || !addr_equal(&addr, &again)))
		abort();
}

static void check_unix(const char *text)
{
	char canonical[ADDR_TEXT_SIZE];
	struct addr addr;

	if (addr_set_unix(text, &addr) != 0)
		return;
	if (addr.length > sizeof(addr.u) || strlen(addr_format(&addr, canonical)) >= ADDR_TEXT_SIZE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_ip(text);
	check_unix(text);
	free(text);
	return 0;
}
