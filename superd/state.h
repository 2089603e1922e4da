/*
 * state: all that a superd hands to the superd that takes over its process, as plain data and as
 * JSON in a sealed memfd (memfd_create(2)). It knows no running object: whoever has them fills it
 * and reads it.
 *
 * Descriptors stand in it by number: exec(2) keeps those that are not close-on-exec. Times are
 * on the monotonic clock, which goes on.
 */
#ifndef SUPERD_STATE_H
#define SUPERD_STATE_H

#include "superd/addr.h"
#include "superd/conf.h"
#include "superd/errpipe.h"
#include "superd/error.h"
#include "superd/limit.h"
#include "superd/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changes with every change of what is handed over; another one's is refused. */
#define STATE_VERSION 1

/* An open listening or datagram socket. */
struct state_listener {
	char *endpoint; /* as the configuration writes it; for people */
	int fd;
	bool lent;           /* who gave it holds it too (inherit.h) */
	int64_t digest;      /* listener_digest() */
	int holder;          /* the wait program that has it; 0: none */
	int64_t path_device; /* of its unix name; 0: none that is superd's */
	int64_t path_inode;
};

struct state_service {
	char *name;
	bool retired; /* the configuration had it no more */
	bool paused;
	bool draining;
	int failures;
	int64_t throttle_ns;     /* how long the last pause was; 0: none yet */
	int64_t throttle_due_ns; /* throttled until then; 0: it is not */
	struct report_counts counts;
	struct limit_snapshot sources;
	struct errpipe_snapshot errpipe;
};

/* A live program, or one that nobody has reaped yet. */
struct state_child {
	int pid;
	int service; /* its place in the list */
	int64_t id;
	int64_t started_ns;
	bool waits;  /* it has sockets of its service, not a connection */
	char *group; /* the endpoint these begin with; "": the service has none of them any more */
	struct peer peer;
	struct peer local;
	int64_t cookie;
	int64_t active_ns;
	int64_t ends_ns; /* when its time is over; INT64_MAX: never */
	int64_t idle_ns;
	int bound;
	int64_t due_ns;  /* of its deadline; 0: none */
	int64_t mark_ns; /* a wait program's: its group's */
	bool overdue;
	bool stuck;
	bool sentenced;
	int failed_step; /* enum step */
	int failed_code;
	int64_t ready_ns; /* of a forked one: when it was about to run; 0: not known */
};

struct state {
	int version;
	int pid;
	char *exe;              /* the path of the program, as it was when it was started */
	char *directory;        /* where it was started */
	int64_t left_ns;        /* when the old one stopped serving */
	int64_t started_ns;     /* when the first of them began */
	int64_t generation;     /* of the configuration, */
	int64_t loaded_wall_ns; /* and when it was loaded */
	int64_t last_id;
	int log_level;           /* of all lines, by superctl log or the command line; -1: none */
	int64_t open_files_soft; /* RLIMIT_NOFILE as the first was started; -1: infinity */
	int64_t open_files_hard;
	char *pid_path;               /* "": none */
	int pid_fd;                   /* -1: none */
	char *control_path;           /* "": none */
	int control_fd;               /* -1: none */
	int asker_fd;                 /* the connection of who asked for it; -1: none */
	struct conf_image_place conf; /* for the way back: the configuration that is in force */
	size_t listener_count;
	struct state_listener *listeners;
	size_t service_count;
	struct state_service *services;
	size_t child_count;
	struct state_child *children;
};

/* Frees what *state points at. */
void state_free(struct state *state);

/*
 * Reads text. Returns 0; or -1 with *error where it is not the state of a superd, of another
 * version, or not sound: every number is in its range, every descriptor and every process stands
 * once. *state is the caller's to state_free() in both cases.
 */
int state_decode(const char *text, size_t length, struct state *state, struct error *error);

/* The state as text, from malloc(3); NULL with *error. */
char *state_encode(const struct state *state, struct error *error);

/*
 * Writes it to a new memfd that nobody can change any more. Returns the descriptor, close-on-exec,
 * the caller's; or -1 with *error.
 */
int state_store(const struct state *state, struct error *error);

/* Reads it from such a memfd, which stays open. As state_decode(). */
int state_load(int fd, struct state *state, struct error *error);

/*
 * Calls fd_cb for every descriptor that is handed over. Stops and returns what it returned as
 * soon as that is not 0; 0 otherwise.
 */
int state_each_fd(const struct state *state, int (*fd_cb)(void *owner, int fd), void *owner);

#endif
