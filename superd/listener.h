/*
 * listener: one socket of the configuration: opened with its options, watched or not, opened
 * again with back-off while it cannot be had. It decides nothing: whether it is watched is its
 * service's decision.
 */
#ifndef SUPERD_LISTENER_H
#define SUPERD_LISTENER_H

#include "superd/conf.h"
#include "superd/error.h"
#include "superd/inherit.h"
#include "superd/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum listener_state {
	LISTENER_CLOSED,
	LISTENER_OPEN,
	LISTENER_RETRYING, /* could not be opened; tried again, 1 s doubling to 30 s */
	LISTENER_ABSENT,   /* half of a two-family endpoint, and the machine lacks the family */
	LISTENER_COVERED, /* half of one, and the other half's socket, which superd was given, takes
			     both families */
};

/* "closed", "open", "retrying", "absent", "covered". */
const char *listener_state_name(enum listener_state state);

struct listener;

/* What its owner is told. */
struct listener_events {
	void (*ready_cb)(struct listener *listener);  /* somebody is there */
	void (*opened_cb)(struct listener *listener); /* after a retry: it is open now, unwatched */
	void (*failed_cb)(struct listener *listener, const struct error *error);
};

struct listener {
	/* set by listener_init(), constant */
	const struct conf_service *service;
	const struct conf_socket *conf;
	const struct listener_events *events;
	struct loop *loop;
	struct inherit *given; /* asked before a socket is made; NULL: nobody */
	void *owner;
	/* its state */
	enum listener_state state;
	int fd; /* -1 unless open */
	bool watched;
	bool beside;   /* opened beside sockets that are in its way: listener_change.h */
	bool lent;     /* who gave the socket holds it too: closing it turns nobody away */
	char *problem; /* why it is not open; NULL otherwise */
	int64_t backoff_ns;
	dev_t path_device; /* of the unix socket's name, so that only its own is removed */
	ino_t path_inode;
	pid_t held; /* the owner's: a program that has this socket, though its group is free; 0 */
	struct listener *held_next;
	struct loop_watch watch;
	struct loop_timer retry;
};

/* A closed listener for the socket conf of service. Everything pointed at must outlive it;
   listener->owner and listener->given are the caller's. */
void listener_init(struct listener *listener, const struct conf_service *service,
	const struct conf_socket *conf, const struct listener_events *events, struct loop *loop,
	void *owner);

/*
 * Opens the socket, unwatched: takes the one that superd was given for this endpoint, or makes
 * one. Returns 0 (LISTENER_OPEN or LISTENER_COVERED); or -1 with *error, and then tries again by
 * itself and tells by opened_cb and failed_cb (state LISTENER_RETRYING), or has given up on a
 * family that is not there (LISTENER_ABSENT).
 */
int listener_open(struct listener *listener, struct error *error);

/* Whether listener_open() would take a socket that superd was given. */
bool listener_is_given(const struct listener *listener);

/* Tries one that is LISTENER_RETRYING now, as if its time had come: tells by opened_cb or
   failed_cb. Others are left alone. */
void listener_retry_now(struct listener *listener);

/* Closes it, stops retrying, removes its unix name. Idempotent. */
void listener_close(struct listener *listener);

/*
 * As listener_close(), and the socket listens no more although others have a copy of it: a child
 * that was just forked has one until its exec. Not for those that somebody is meant to go on with:
 * a wait program's, and those that superd was lent.
 */
void listener_dismiss(struct listener *listener);

/*
 * Watches or pauses; nothing happens unless it is open. Returns 0; or -1 with *error where it
 * cannot be watched: it is closed then, and opened anew like one that cannot be opened.
 */
int listener_watch(struct listener *listener, bool watched, struct error *error);

/*
 * After a wait program has had the socket, or when accept(2) says that it is no listener: sets
 * its description right again, and opens it anew where it was shut down, connected, or holds
 * errors. Returns 0, or -1 with *error as listener_open() does.
 */
int listener_recover(struct listener *listener, struct error *error);

#endif
