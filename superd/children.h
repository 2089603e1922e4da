/*
 * children: the table of live programs by pid. The number of running instances is its size: an
 * entry is made when the process is, goes at its reap, and nothing else counts.
 *
 * Every program leads a session and a process group of its own; signals go to the group. It
 * knows no services: what an entry belongs to is its owner's business.
 */
#ifndef SUPERD_CHILDREN_H
#define SUPERD_CHILDREN_H

#include "superd/addr.h"
#include "superd/error.h"
#include "superd/loop.h"
#include "superd/step.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define CHILDREN_MANY 512 /* up to here a walk along all is cheaper than a turn of the loop */

/* One live program. */
struct child {
	struct child *next; /* in its hash chain, or in the free list */
	void *owner;
	void *detail;                 /* the owner's: which of its sockets it runs on */
	struct step_failure *failure; /* in shared memory: read at the reap */
	uint64_t id;
	int64_t started_ns;
	struct loop_timer deadline; /* the owner's: when it is asked to end, then killed */
	int64_t ends_ns;            /* the owner's: when its time is over; INT64_MAX: never */
	int64_t idle_ns;            /* with a cookie: how long it may be silent */
	unsigned bound;             /* with a cookie: its interface, as sockdiag wants it */
	struct child *idle_next;    /* the owner's: in the list of those to be asked about, */
	struct child **idle_link;   /* and what points to it there; NULL: it is not in it */
	uint64_t cookie;            /* of its connection's socket; 0: its silence does not matter */
	int64_t active_ns;          /* when a byte was last known to move */
	struct peer local;          /* of its connection: the own end, where it is known */
	struct peer peer;
	pid_t pid;
	bool overdue;   /* its deadline has passed: it was asked to end */
	bool stuck;     /* it was killed before its exec, where it hung */
	bool sentenced; /* TERM was sent: its group gets KILL before it is reaped */
};

struct children;

/* Makes an empty table. Returns 0, or -1 with *error. */
int children_new(struct children **children, struct error *error);

void children_free(struct children *children);

/*
 * An entry without a pid, to be filled and given to children_add() or children_cancel(). NULL
 * where memory is out. Room comes in chunks and is used again: the accept path rarely allocates.
 * What a crowd needed is given back when the last one of it has gone.
 */
struct child *children_prepare(struct children *children);

/* The entry's process exists: child->pid is in the table from now on. */
void children_add(struct children *children, struct child *child);

/* Gives back an entry whose process was never made. */
void children_cancel(struct children *children, struct child *child);

size_t children_count(const struct children *children);

/* A place in the table, for going through it in pieces, with turns of the loop between them; all
   zero at the beginning. */
struct children_cursor {
	const void *chunk;
	size_t index;
	uint64_t crowd;
	bool begun;
};

/*
 * The next live child, NULL behind the last one. What lives from the first call to the last one is
 * met exactly once; what comes or goes meanwhile may be met or not.
 */
struct child *children_next(const struct children *children, struct children_cursor *cursor);

/* The live child of that pid, or NULL. */
struct child *children_find(const struct children *children, pid_t pid);

/*
 * Reaps what has ended (wait4(2)) and calls reap_cb for each; the entry no longer counts while that
 * runs and is gone when it returns. child is NULL for a process that superd did not start as a
 * program (PID 1, inherited children, the configuration's loader).
 *
 * named is the process that SIGCHLD told of, 0: none. Signals coalesce, so others may have ended
 * whom nobody named; but to look for them the kernel walks along all children, under a lock that
 * every process needs to be born and to end. So with more than CHILDREN_MANY in the table only the
 * named one is looked for, and everybody where there is no name. Returns whether everybody was; if
 * not it has to be called soon without a name.
 */
bool children_reap(struct children *children, pid_t named,
	void (*reap_cb)(void *reap_owner, struct child *child, pid_t pid, int status,
		const struct rusage *usage),
	void *reap_owner);

/* Sends signal to the child's process group, or to the process alone where it leads none yet.
   SIGTERM and SIGKILL sentence it. */
void children_signal(struct children *children, struct child *child, int signal);

/* Says that the child was sent SIGTERM, by whom ever: its group gets KILL before it is reaped. */
void children_sentence(struct children *children, struct child *child);

/* The same to every live child. */
void children_signal_all(struct children *children, int signal);

/* Calls each_cb for every live child, in no order; it may not add or reap any. */
void children_each(struct children *children,
	void (*each_cb)(void *each_owner, struct child *child), void *each_owner);

#endif
