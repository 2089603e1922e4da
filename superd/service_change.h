/*
 * service_change: one service of a reload: what it is to become is prepared beside what it is,
 * then swapped or thrown away. What runs on goes on under the same entry of the child table.
 */
#ifndef SUPERD_SERVICE_CHANGE_H
#define SUPERD_SERVICE_CHANGE_H

#include "superd/conf.h"
#include "superd/error.h"
#include "superd/log.h"
#include "superd/service.h"

#include <stdbool.h>
#include <stddef.h>

/* A service that is added, or changed; one that was retired and comes back is changed, too. */
struct service_change {
	struct service *service;
	const struct conf_service *conf; /* what it is to be */
	const struct conf_service *was;  /* NULL: it is made anew */
	bool in_place;                /* the sockets are the same: listeners stay where they are */
	struct listener *listeners;   /* one for each socket of conf; not in place: new ones; */
	struct service_group *groups; /* and when that is done, those that it had */
	size_t count;                 /* of listeners */
	size_t group_count;
	struct listener **sources; /* not in place: whose socket each takes; NULL: its own */
	struct log_sink *sink;     /* another one; NULL: it stays */
	struct errpipe *errpipe;   /* it needs one now */
};

/*
 * Prepares a service for conf that is not there yet, stopped, with closed listeners; sink is its
 * own, also on failure. Returns 0, or -1 with *error.
 */
int service_change_add(struct service_context *context, const struct conf_service *conf,
	struct log_sink *sink, struct service_change **change, struct error *error);

/* Prepares another configuration for service, which may be retired; sink (NULL: none) as above. Not
   in place the new listeners are closed. Returns 0, or -1 with *error. */
int service_change_to(struct service *service, const struct conf_service *conf,
	struct log_sink *sink, struct service_change **change, struct error *error);

/* Gives up a change; new listeners are closed. */
void service_change_abort(struct service_change *change);

/* The first half of a commit, to be done for all changes before the second: takes the sockets. */
void service_change_move(struct service_change *change);

/* The second half: from here on the service is what conf says, but not yet watched. An added one
   is started. What it had (listeners, groups) is the change's. */
void service_change_commit(struct service_change *change);

/* Ends a change that was committed: frees what the service had, whose listeners must be closed,
   and which no start may use. */
void service_change_end(struct service_change *change);

/* Conf says the same as what the service has: it uses this one from now on. */
void service_keep(struct service *service, const struct conf_service *conf);

/* Stops it as service_stop() does, but leaves its sockets, unwatched, to be closed one by one
   with service_discard(). What superctl asked of it, and its failures, are forgotten. */
void service_retire(struct service *service);

/* Closes one listener of a retired service, or one that a service had. */
void service_discard(struct service_context *context, struct listener *listener);

/* The program that has the listener's socket, as its marks say; 0: none. */
pid_t service_holder(const struct listener *listener);

/* Gives the socket of one listener, and the mark of the program that holds it, to another. */
void service_hand_over(struct service_context *context, struct listener *from, struct listener *to);

/* Gives every live child of services whose sources were cut anew (flag `recount`, which the caller
   clears) to their tables of sources. */
void service_recount(struct service_context *context);

#endif
