/*
 * service: one running service: its listeners, its counts, and the one decision whether its
 * listeners are watched. The way of a connection is accept, admit, spawn (service_accept.c); that
 * of a wait program's sockets is service_wait.c.
 */
#ifndef SUPERD_SERVICE_H
#define SUPERD_SERVICE_H

#include "superd/children.h"
#include "superd/conf.h"
#include "superd/error.h"
#include "superd/limit.h"
#include "superd/listener.h"
#include "superd/loop.h"
#include "superd/report.h"
#include "superd/spawn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

enum service_state {
	SERVICE_STOPPED,
	SERVICE_LISTENING,
	SERVICE_FULL,      /* as many programs as it may have */
	SERVICE_BUSY,      /* every socket is a wait program's */
	SERVICE_STARVED,   /* no descriptors, processes or slots for another program */
	SERVICE_THROTTLED, /* its program keeps failing */
	SERVICE_PAUSED,    /* by superctl pause */
	SERVICE_DRAINING,  /* it accepts nobody any more; what runs may finish */
};

/* "stopped", "listening", ... */
const char *service_state_name(enum service_state state);

struct service;

/* What all services of one superd share; superd's, lives longer than any service. */
struct service_context {
	struct loop *loop;
	struct spawn *spawn;
	struct children *children;
	struct report *report;
	const struct conf *conf;
	struct inherit *given;  /* sockets that superd was given, for listeners to take; or NULL */
	int null_fd;            /* /dev/null, low: where a new program's table reaches */
	unsigned load_permille; /* the 1-minute load, */
	int64_t load_ns;        /* and when it was read; 0: never */
	struct sockdiag *sockdiag; /* NULL: no service has `idle` */
	struct listener *held;     /* those with `held`: a program of another group has them */
	struct child *idle;        /* whose silence is to be asked for at the end of the turn */
	uint64_t last_id;          /* of connections and wait programs */
	struct service *starved;   /* waiting for descriptors, processes or slots */
	void (*starved_cb)(struct service_context *context); /* the list is not empty any more */
};

/* Sockets that are watched and busy together: all stream sockets of a service, or one datagram
   socket. */
struct service_group {
	struct service *service;
	struct listener *listeners; /* a part of the service's */
	size_t count;
	bool wait;
	bool watched;
	pid_t busy;      /* the wait program that has the sockets; 0: none */
	int *fds;        /* wait: scratch for a start */
	char *names;     /* wait: LISTEN_FDNAMES */
	int64_t mark_ns; /* wait: what stood first in the queue when the program was started, by
			    its time of arrival; for streams the length of the queue */
};

struct service {
	const struct conf_service *conf;
	struct service_context *context;
	struct listener *listeners; /* one for each socket of conf, grouped */
	struct service_group *groups;
	size_t group_count;
	struct service_group gone; /* of wait programs whose sockets it has no more: without any */
	bool stopped;
	bool paused;
	bool draining; /* by service_drain() */
	bool starved;  /* in context->starved */
	struct service *starved_next;
	struct service *retired_next; /* of a service_list */
	bool planned;                 /* reload: it stands in the new configuration */
	int place;                    /* upgrade: in what is handed over */
	unsigned running;             /* its entries in the child table */
	unsigned accept_failures; /* of accept(2) in a row, which do not starve it by themselves */
	struct limit *sources;
	bool recount;            /* sources was emptied: its live children are to be given to it */
	struct errpipe *errpipe; /* may be NULL with stderr = null */
	struct report_subject *report;
	unsigned failures;          /* in a row */
	int64_t throttle_ns;        /* how long the last pause was; 0: none yet */
	struct loop_timer throttle; /* started: throttled */
};

/*
 * Makes the service of conf, stopped; its log lines go to sink (the service's to close, also on
 * failure). Returns 0, or -1 with *error.
 */
int service_new(struct service_context *context, const struct conf_service *conf,
	struct log_sink *sink, struct service **service, struct error *error);

/* Closes everything and frees; nothing of it may be running. */
void service_free(struct service *service);

/* Opens the listeners, reports those that cannot be opened (they are tried again), watches.
   Returns how many are open. */
size_t service_start(struct service *service);

/* Closes the listeners; running programs go on. A wait program that runs keeps superd's copy of
   its sockets open, for it may not have taken its own yet: to be called again when it has ended. */
void service_stop(struct service *service);

/*
 * Begins or ends (resume) the draining of one service: its listeners are closed, so that clients
 * are turned away at once and go elsewhere, and its running programs finish. A socket that
 * somebody else holds too is only not watched, for closing it would turn nobody away: one that
 * superd was lent, and that of a running wait program until it ends. Idempotent; the end reports
 * what cannot be opened again, which is tried on.
 */
void service_drain(struct service *service, bool draining);

/* How many of its listeners are open. */
size_t service_open_count(const struct service *service);

enum service_state service_state(const struct service *service);

/* Whether who comes is left in the kernel's backlog from now on (a datagram in its socket);
   running programs go on. */
void service_pause(struct service *service, bool paused);

/* Asks a running program to end, as if its time were over. Nothing where it was asked before. */
void service_end_program(struct child *child);

/* A start of it went well and took that long. */
void service_started(struct service *service, int64_t took_ns);

/*
 * The one place that decides whether listeners are watched, from state and counts. Idempotent;
 * called after every change of either.
 */
void service_update_watch(struct service *service);

/*
 * A program that was started by a superd before this one is a program of service from now on.
 * child has everything but its owner and what it runs on: a connection (group NULL), or the group
 * of sockets that begins with the endpoint group, by the mark that group had then. Its deadline
 * is due at due_ns (0: it has none).
 */
void service_adopt(struct service *service, struct child *child, const char *group, int64_t mark_ns,
	int64_t due_ns);

/* The wait program pid has the listener's socket, whether the listener's group is busy with it or
   not. Nothing where there is no such program. */
void service_adopt_socket(struct service *service, struct listener *listener, pid_t pid);

/* The program that an adopted group is busy with has none of its sockets: others may have them. */
void service_adopt_lost(struct service_group *group);

/* Makes sure that there is an errpipe, for programs that were started with one. Returns 0, or -1
   (out of memory). */
int service_need_errpipe(struct service *service);

/* A program of this service has ended; its entry no longer counts. */
void service_reaped(
	struct service *service, struct child *child, int status, const struct rusage *usage);

/* A start of it hung and was killed. */
void service_stuck(struct service *service, pid_t pid);

/* At the end of a turn: asks the kernel about the connections whose silence may have been too
   long, and ends those. */
void service_check_idle(struct service_context *context);

/* Something became free: every starved service may try again. */
void service_wake_starved(struct service_context *context);

#endif
