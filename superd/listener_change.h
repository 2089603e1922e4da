/*
 * listener_change: what a reload does with listeners: their sockets get other options, or other
 * owners, or room is made for one beside those that will be closed.
 */
#ifndef SUPERD_LISTENER_CHANGE_H
#define SUPERD_LISTENER_CHANGE_H

#include "superd/conf.h"
#include "superd/error.h"
#include "superd/listener.h"

#include <stddef.h>

/*
 * Sets on the listener's open socket (nothing happens to one that is not open) every option as
 * service has it; the listener itself still belongs to its old configuration. Returns 0, or -1
 * with *error: some may have been set, and the same with the old configuration sets them back.
 */
int listener_adapt(
	struct listener *listener, const struct conf_service *service, struct error *error);

/* What an open socket of the listener's has of its configuration, as a number: where it is the
   same, there is nothing to adapt. */
uint64_t listener_digest(const struct listener *listener);

/* Blocking or not, as its configuration says; for a socket that no program has. */
void listener_set_blocking(struct listener *listener);

/*
 * Gives the state of one listener to another, closed one for the same endpoint: socket, back-off
 * and retry, the name's ownership. `from` is closed then, `to` is not watched. Cannot fail.
 */
void listener_move(struct listener *from, struct listener *to);

/*
 * As listener_open(), where the endpoint overlaps those of the count open listeners others, which
 * will be closed soon: a wildcard address against a specific one, or another kind of unix socket
 * of the same name, which gets its name by listener_settle(). On failure others are as they were.
 */
int listener_open_beside(struct listener *listener, struct listener *const *others, size_t count,
	struct error *error);

/* One that was opened beside others stays: those are about to be closed. Returns 0, or -1 with
 *error where a unix socket could not be given its name. */
int listener_settle(struct listener *listener, struct error *error);

/* The others stay. */
void listener_unshare(struct listener *const *others, size_t count);

#endif
