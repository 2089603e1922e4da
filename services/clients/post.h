/*
 * post: climess send, the client's half of messenger's dialogue for one message.
 */
#ifndef SERVICES_CLIENTS_POST_H
#define SERVICES_CLIENTS_POST_H

#include "services/clients/fault.h"

#include <stdbool.h>
#include <stddef.h>

struct post {
	const char *sender;
	const char *recipient;
	bool plain;  /* no line BYTES: the server runs without -l */
	int idle_ms; /* longest wait for the server */
	char *data;  /* the message, owned: post_read() */
	size_t bytes;
};

/*
 * Reads the message to its end from file, or from standard input where that is NULL.  Returns 0, or
 * -1 with *fault; post_free() is safe in either case.
 */
int post_read(struct post *post, const char *file, struct fault *fault);

/*
 * Sends the message on a connected socket, prints the server's answer and closes the socket; where
 * there is no answer the end of the process resets it.  Returns 0 where the message is stored
 * (250), or -1 with *fault, whose text is empty where the answer says it all.
 */
int post_send(const struct post *post, int socket, struct fault *fault);

void post_free(struct post *post);

#endif
