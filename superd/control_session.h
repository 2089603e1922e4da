/*
 * control_session: one client of the control socket, from its request to the end of its answer.
 */
#ifndef SUPERD_CONTROL_SESSION_H
#define SUPERD_CONTROL_SESSION_H

#include "superd/control.h"
#include "superd/control_request.h"

#include <stdint.h>
#include <sys/socket.h>

enum session_state {
	SESSION_READING, /* its request */
	SESSION_WAITING, /* for its verb to answer */
	SESSION_WRITING, /* the answer */
};

/* Also what a verb knows as its request. */
struct control_request {
	struct control_request *next; /* of the control's list */
	struct control *control;
	enum session_state state;
	enum control_right right;
	struct ucred peer;
	int fd;           /* -1: the client was given up while its verb still works */
	int64_t moved_ns; /* when a byte last moved */
	struct loop_watch watch;
	struct loop_timer timer;
	size_t used; /* of line */
	struct control_words words;
	struct control_output output;
	const struct control_source *source; /* NULL: output holds the rest of the answer */
	void *source_state;
	char line[CONTROL_LINE_MAX + 1];
};

struct control {
	struct loop *loop;
	const struct control_ops *ops;
	void *owner;
	struct control_place place; /* path: its own copy */
	int fd;                     /* -1: none */
	dev_t device;               /* of the socket's name, so that only its own is removed */
	ino_t inode;
	struct loop_watch watch;
	struct loop_timer rest; /* started: accept(2) failed for want of something */
	struct control_request *sessions;
	size_t count;      /* of sessions */
	int64_t denied_ns; /* when a denial was last told; 0: never */
};

/* A session for the accepted fd, which it owns. NULL where memory is out; fd is closed then. */
struct control_request *session_new(
	struct control *control, int fd, const struct ucred *peer, enum control_right right);

/* Ends it at once, whatever it is at; the verb of a waiting one finds nobody to answer to. */
void session_drop(struct control_request *session);

/* Frees it, also where its verb has not answered (superd ends). */
void session_free(struct control_request *session);

/* Sends one refusal as far as the socket takes it, and closes fd. */
void session_turn_away(int fd, const char *text);

#endif
