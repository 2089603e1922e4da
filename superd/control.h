/*
 * control: the control socket: requests in, answers out. It knows nothing of superd: what a verb
 * does is a callback.
 *
 * A client connects to a unix stream socket, sends one line ("status web\n": the verb and its
 * arguments, control_request.h), gets one answer, a JSON object and a newline, and end of file:
 * {"ok": true, ...} or {"ok": false, "error": "..."}.
 *
 * Who a client is says the kernel (SO_PEERCRED). Nothing a client does delays the loop or costs
 * memory without bound: there are at most CONTROL_CLIENTS_MAX of them, each with a bounded request
 * and a buffer that is filled again only when it was read; who stalls is closed after a while, or
 * at once where a newcomer needs the place.
 */
#ifndef SUPERD_CONTROL_H
#define SUPERD_CONTROL_H

#include "superd/control_output.h"
#include "superd/control_socket.h"
#include "superd/error.h"
#include "superd/loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CONTROL_CLIENTS_MAX 16

struct control;
struct control_request;

/* What a client may do. */
enum control_right {
	CONTROL_NOTHING,
	CONTROL_LOOK,       /* members of status-group */
	CONTROL_EVERYTHING, /* root, superd's own user, members of control-group */
};

struct control_verb {
	const char *name; /* NULL ends the table */
	unsigned least;   /* arguments */
	unsigned most;
	enum control_right right; /* that it takes */
	/* Does it, and answers the request now or later, exactly once. */
	void (*run_cb)(void *owner, struct control_request *request);
};

struct control_ops {
	const struct control_verb *verbs;
	/* Somebody was turned away who may not use the socket; at most once a second. */
	void (*denied_cb)(void *owner, const struct ucred *peer);
};

/* Makes the control of owner, without a socket. Returns 0, or -1 with *error. */
int control_new(struct loop *loop, const struct control_ops *ops, void *owner,
	struct control **control, struct error *error);

/* Closes all of it and removes the socket's name; NULL is allowed. Requests that are not answered
   yet are gone. */
void control_free(struct control *control);

/*
 * Prepares a move to place: opens its socket, which nobody is accepted on yet, unless it is the
 * one that is open already. *fd is the new socket, or -1 where none is to be opened; give it to
 * control_commit() or control_abort(). Returns 0, or -1 with *error and nothing changed.
 */
int control_prepare(
	struct control *control, const struct control_place *place, int *fd, struct error *error);

/* From now on place holds (copied), with fd from control_prepare() or handed over by a superd
   before this one. Requests under way go on. */
void control_commit(struct control *control, const struct control_place *place, int fd);

/* Closes what control_prepare() opened and removes its name. */
void control_abort(const struct control_place *place, int fd);

/* The listening socket, to be handed over; -1: none. */
int control_fd(const struct control *control);

/* Whether a client is sending its request or reading its answer. */
bool control_busy(const struct control *control);

/* Its name; NULL: none. */
const char *control_path(const struct control *control);

/* The word of that number, the verb is 0; NULL: there are no more. */
const char *control_word(const struct control_request *request, size_t number);

/* Who asks. */
const struct ucred *control_peer(const struct control_request *request);

/* The answer {"ok": true} with the members of fields, which is taken over; NULL where making it
   failed for lack of memory. The request is gone. */
void control_answer(struct control_request *request, json_t *fields);

/* The answer {"ok": false, "error": TEXT} with the members of fields (taken over; NULL: none). */
void control_refuse_with(struct control_request *request, json_t *fields, const char *text);

/* The same, by printf and with nothing else. */
void control_refuse(struct control_request *request, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What makes a large answer piece by piece, each as short as a turn of the loop may be. */
struct control_source {
	/*
	 * Appends the next piece of the JSON text, from its "{" to its "}". Returns 1 where more
	 * follows, 0 where that was all, -1 where the answer has to be cut (then the client finds
	 * no newline at its end and asks again).
	 */
	int (*next_cb)(void *state, struct control_output *output);
	void (*free_cb)(void *state);
};

/* The answer comes from source, as fast as the client takes it; state is its own from now on. */
void control_stream(
	struct control_request *request, const struct control_source *source, void *state);

/*
 * Takes the connection away from the request, which is gone then: an upgrade hands it to the new
 * program, which answers on it. Returns the descriptor, the caller's, or -1 where the client left.
 */
int control_take(struct control_request *request);

/* Answers on a connection that was taken: error NULL says that it is done. Closes fd. */
void control_answer_taken(int fd, const char *error);

#endif
