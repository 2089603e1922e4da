/*
 * listener_socket: one bound, listening socket with every option that the configuration sets.
 */
#ifndef SUPERD_LISTENER_SOCKET_H
#define SUPERD_LISTENER_SOCKET_H

#include "superd/conf.h"
#include "superd/error.h"

#include <stdbool.h>

/*
 * Makes the socket of conf, at 256 or above, close-on-exec; blocking where a program gets it
 * itself (wait), non-blocking where superd accepts. Returns the descriptor, the caller's to
 * close; or -1 with *error naming the step ("bind: Address already in use").
 */
int listener_socket_open(
	const struct conf_service *service, const struct conf_socket *conf, struct error *error);

/*
 * The same for an internet socket that overlaps others of superd's own which will be closed soon:
 * each of these must be made ready by listener_socket_share(). The new one is to be made unready
 * when they are closed.
 */
int listener_socket_open_beside(
	const struct conf_service *service, const struct conf_socket *conf, struct error *error);

/* Makes fd ready to be bound beside (SO_REUSEPORT), or what `reuse-port` says. */
void listener_socket_share(int fd, bool on);

/*
 * Sets every option of an open socket of conf as service, which has the same sockets, wants it,
 * also those it does not set: they get what a new socket has. The name of a unix socket is not
 * touched. Returns 0, or -1 with *error naming the option.
 */
int listener_socket_adapt(int fd, const struct conf_service *service,
	const struct conf_socket *conf, struct error *error);

/*
 * Sets on a socket that is bound already what conf asks for and a bound socket still takes: the
 * options, the backlog, blocking or not. Returns 0, or -1 with *error; fd stays the caller's.
 */
int listener_socket_adopt(int fd, const struct conf_service *service,
	const struct conf_socket *conf, struct error *error);

/* Asks for the time of arrival of every datagram (SO_TIMESTAMPNS, socket(7)), by which one is
   told from the next; a program that had the socket may have asked for something else. */
void listener_socket_stamp(int fd, const struct conf_socket *conf);

#endif
