/*
 * bare: accepts and closes, and nothing else: what serving a connection costs at the very least.
 *
 *     bare ADDRESS PORT     (it says "ready" once it listens, and ends by a signal)
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024 /* superd's default */

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	int fd;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
		fputs("usage: bare ADDRESS PORT\n", stderr);
		return 2;
	}
	address.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(listener, BACKLOG) != 0) {
		perror("bare");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd >= 0)
			close(fd);
	}
}
