/*
 * session: one stream connection, both directions at once.
 *
 *     input -> typed -> [encode] -> request -> socket -> answer -> [decode] -> printed -> output
 *
 * One poll(2) watches input, socket and output; each buffer is bounded and no call blocks, so
 * neither side can bring the other to a stand-still by not reading, and a server that goes away is
 * noticed while the user is still typing.
 */
#ifndef SERVICES_CLIENTS_SESSION_H
#define SERVICES_CLIENTS_SESSION_H

#include <stdbool.h>

#include "services/clients/buffer.h"
#include "services/clients/fault.h"

/*
 * Moves what it can use from one buffer to the next, while there is room.  at_end: nothing will be
 * added to from; an encoder must then leave it empty as far as there is room, and is called again.
 */
typedef void session_translate_cb(
	void *context, struct buffer *from, struct buffer *to, bool at_end);

struct session {
	int socket;      /* borrowed */
	int input;       /* borrowed */
	int output;      /* borrowed */
	bool input_end;  /* no more will come from input */
	bool sent_end;   /* the end of input has been sent: half-closed */
	bool server_end; /* no more will come from the server */
	int send_error;  /* errno of a failed send, 0: none */
	int receive_error;
	struct buffer typed;
	struct buffer request;
	struct buffer answer;
	struct buffer printed;
	session_translate_cb *encode; /* both plain copies after session_init */
	session_translate_cb *decode;
	void *context; /* theirs, borrowed */
};

/*
 * Prepares a session between a connected stream socket and two descriptors; input -1 means that
 * what the caller puts into session->request is all there is to send.  Returns 0, or -1 with
 * *fault set; session_free is safe in either case.
 */
int session_init(struct session *session, int socket, int input, int output, struct fault *fault);

/*
 * Carries bytes both ways, half-closes at the end of input, and returns when the server has closed
 * too and all of its answer is written: 0, or -1 with *fault set if the server closed before the
 * end of input had been sent, the connection was reset, or input or output failed.
 */
int session_run(struct session *session, struct fault *fault);

/* Releases the buffers; the descriptors stay open. */
void session_free(struct session *session);

/* The translation that changes nothing. */
void session_copy(void *context, struct buffer *from, struct buffer *to, bool at_end);

#endif
