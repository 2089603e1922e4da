/*
 * childenv: the environment of one program, built into room that is used again.
 *
 * Values that come from the network are numeric only; everything else is the configuration's.
 */
#ifndef SUPERD_CHILDENV_H
#define SUPERD_CHILDENV_H

#include "superd/addr.h"
#include "superd/conf.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The room. Zeroed before the first use; ended with childenv_free(). */
struct childenv {
	char **vector; /* what execve(2) takes, NULL-terminated */
	size_t size;   /* entries that fit, the NULL included */
	size_t count;
	size_t configured; /* the first of them: what the administrator has set */
	char *text;        /* the strings made here; the configuration's are pointed at */
	size_t text_size;
	size_t text_used;
	char *pid; /* LISTEN_PID's number goes here after the clone; NULL without */
};

/* What a program is started for. */
struct childenv_facts {
	const struct conf_service *conf;
	int type;                 /* SOCK_STREAM, ... */
	int family;               /* of the listener */
	const struct peer *peer;  /* AF_UNSPEC: a wait program */
	const struct peer *local; /* own end of an internet connection; AF_UNSPEC: none */
	uint64_t id;
	uint32_t source_connections; /* of this source, open before this one */
	const char *listen_names;    /* LISTEN_FDNAMES; NULL for one connection */
	size_t listen_count;
};

/*
 * Builds the vector for facts, replacing what was there; conf's strings are pointed at, so conf
 * must live until exec. Allocates only where the room has to grow. Returns 0, or -1 (out of
 * memory).
 */
int childenv_build(struct childenv *env, const struct childenv_facts *facts);

#define CHILDENV_PID_SIZE 11 /* of the room kept for LISTEN_PID: a pid_t and its NUL */

/* Writes pid into the room kept for LISTEN_PID, if there is any; for the child after its
   clone: no libc is called. */
void childenv_set_pid(const struct childenv *env, pid_t pid);

void childenv_free(struct childenv *env);

#endif
