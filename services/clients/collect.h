/*
 * collect: climess fetch, the client's half of messenger's dialogue that gets the messages.
 */
#ifndef SERVICES_CLIENTS_COLLECT_H
#define SERVICES_CLIENTS_COLLECT_H

#include "services/clients/fault.h"

/* Room for a password with a NUL. */
#define COLLECT_PASSWORD_SIZE 512

struct collect {
	const char *login;
	const char *password; /* NULL: none is sent */
	int idle_ms;          /* longest wait for the server */
};

/*
 * Reads the first line of a file, or of standard input where that is "-" (at a terminal without
 * echo), into password.  Returns 0, or -1 with *fault.
 */
int collect_password(const char *file, char password[COLLECT_PASSWORD_SIZE], struct fault *fault);

/*
 * Gets the messages over a connected socket and prints them as they come, then closes it, which
 * tells the server to delete them; that happens only when all is written.  Returns 0 after a
 * 250 with everything that belongs to it, or -1 with *fault, whose text is empty where the answer
 * says it all.
 */
int collect_run(const struct collect *collect, int socket, struct fault *fault);

#endif
