/*
 * fuzz_addr: endpoints, addresses and peers on arbitrary bytes.
 *
 * What is parsed must print to something that parses to the same.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -Ibuild -D_GNU_SOURCE \
 *		tests/fuzz/fuzz_addr.c superd/addr.c superd/conf_endpoint.c superd/conf_value.c \
 *		superd/conf_suggest.c superd/error.c -o fuzz_addr
 *	./fuzz_addr tests/fuzz/corpus/addr
 */
#include "config.h"
#include "superd/addr.h"
#include "superd/conf_endpoint.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

/* Every socket of an endpoint, as "tcp 127.0.0.1:7", reads back as "tcp:127.0.0.1:7". */
static void check_endpoint(const char *text)
{
	struct conf_endpoint endpoint, again;
	struct conf_endpoint_socket socket, same;
	char printed[CONF_SOCKET_TEXT_SIZE];
	struct error error;
	size_t count;

	if (conf_endpoint_parse(text, &endpoint, &error) != 0) {
		require(error.text[0] != '\0');
		return;
	}
	count = conf_endpoint_socket_count(&endpoint);
	require(count >= 1 && count <= 2 * 65535);
	conf_endpoint_get(&endpoint, count - 1, &socket);
	conf_socket_format(endpoint.type, &socket.addr, printed);
	require(strlen(printed) < sizeof(printed));
	*strchr(printed, ' ') = ':';
	if (strchr(printed, '\\') != NULL)
		return; /* a path with bytes that are not printed as they are */
	require(conf_endpoint_parse(printed, &again, &error) == 0);
	require(again.type == endpoint.type);
	conf_endpoint_get(&again, 0, &same);
	require(addr_equal(&socket.addr, &same.addr));
}

static void check_addr(const char *text)
{
	char printed[ADDR_TEXT_SIZE];
	struct addr addr;
	struct peer peer;

	if (addr_parse_ip(text, 7, &addr) == 0) {
		require(addr_port(&addr) == 7);
		require(addr_equal(&addr, &addr));
		addr_format(&addr, printed);
		require(printed[0] != '\0' && strlen(printed) < sizeof(printed));
		peer_set(&peer, &addr.u.any, addr.length);
		require(peer.family != AF_UNSPEC && peer.port == 7);
	}
	if (addr_set_unix(text, &addr) == 0) {
		require(addr.length <= sizeof(struct sockaddr_un));
		require(strlen(addr_format(&addr, printed)) < sizeof(printed));
	}
}

static void check_peer(const uint8_t *data, size_t size)
{
	struct sockaddr_storage storage = {0};
	char printed[ADDR_TEXT_SIZE];
	struct peer peer;

	if (size > sizeof(storage))
		size = sizeof(storage);
	memcpy(&storage, data, size);
	peer_set(&peer, (const struct sockaddr *)&storage, (socklen_t)size);
	require(strlen(peer_format(&peer, printed)) < sizeof(printed));
	require(strlen(peer_format_host(&peer, printed)) < sizeof(printed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	check_endpoint(text);
	check_addr(text);
	check_peer(data, size);
	free(text);
	return 0;
}
