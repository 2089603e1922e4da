/*
 * bulk: many bytes in one send(2), the classic experiment on how TCP cuts them up.
 *
 * One send of more than the kernel buffers has to block until the server reads; a server that
 * writes meanwhile (echo) would block in turn.  So the send has a thread of its own, and the
 * session reads beside it; the thread's end is the session's end of input.
 */
#ifndef SERVICES_CLIENTS_BULK_H
#define SERVICES_CLIENTS_BULK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "services/clients/buffer.h"
#include "services/clients/fault.h"

struct bulk {
	int socket;    /* borrowed */
	int input;     /* a pipe that ends when the send is over; owned */
	int input_end; /* its other end; closed by the thread */
	size_t bytes;
	char *pattern; /* bytes of a..z, owned */
	pthread_t thread;
	/* Written by the thread before input ends, read by others only after that. */
	size_t sent;
	int error; /* errno of the send, 0: none */
	bool told; /* the line about it has been written */
};

/*
 * Starts to send bytes of the pattern on socket, which must be blocking.  Returns 0, after which
 * the caller must call bulk_finish, or -1 with *fault set and nothing held.
 */
int bulk_start(struct bulk *bulk, int socket, size_t bytes, struct fault *fault);

/*
 * Translations for struct session, whose context is a struct bulk and whose input is bulk->input:
 * the first writes "sent 32769 bytes from 32769." to standard output when the send is over, the
 * second holds the server's answer back until then, unless it is too long for that.
 */
void bulk_encode(void *context, struct buffer *from, struct buffer *to, bool at_end);
void bulk_decode(void *context, struct buffer *from, struct buffer *to, bool at_end);

/*
 * Ends the send if it still runs (the server has gone), writes the line if it is not yet written,
 * and releases everything.  Returns 0 if all bytes were sent, -1 with *fault set otherwise.
 */
int bulk_finish(struct bulk *bulk, struct fault *fault);

#endif
