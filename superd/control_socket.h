/*
 * control_socket: the control socket's name in the file system, made so that nobody else can take
 * it, and nobody can connect before its mode and group are right.
 */
#ifndef SUPERD_CONTROL_SOCKET_H
#define SUPERD_CONTROL_SOCKET_H

#include "superd/error.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Where it is where superd.conf does not say. */
#define CONTROL_DEFAULT_PATH "/run/superd/control.sock"

/* Longest path. */
#define CONTROL_PATH_MAX 107

/* What superd.conf says about it. */
struct control_place {
	const char *path; /* NULL: no control socket */
	bool make_folder; /* the path is the default: its folder is superd's to make */
	mode_t mode;
	gid_t control_group; /* (gid_t)-1: none */
	gid_t status_group;  /* (gid_t)-1: none */
};

/*
 * Opens the listening socket at place->path, non-blocking, at 256 or above. All folders above it
 * belong to root or superd's user and are nobody else's to write (a sticky one may be). A socket
 * that nobody listens on any more is replaced; one that is in use, and anything else of that name,
 * is an error. Returns the descriptor, or -1 with *error.
 */
int control_socket_open(const struct control_place *place, struct error *error);

/* Gives the name another mode and group. Returns 0, or -1 with *error. */
int control_socket_chmod(const struct control_place *place, struct error *error);

/* Whether a client of these credentials is root, superd's own user or in the group (at fd, for its
   other groups). group (gid_t)-1 is nobody's. */
bool control_socket_in_group(int fd, const struct ucred *peer, gid_t group);

#endif
