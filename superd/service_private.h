/*
 * service_private: what the parts of service share among themselves, and nobody else.
 */
#ifndef SUPERD_SERVICE_PRIVATE_H
#define SUPERD_SERVICE_PRIVATE_H

#include "superd/service.h"

/* The listeners of a service and their groups, as in struct service. */
struct service_sockets {
	struct listener *listeners;
	size_t count;
	struct service_group *groups;
	size_t group_count;
};

/* Makes closed listeners for the sockets of conf, which is to be the service's. Returns 0, or -1
   (out of memory); *sockets is to be freed in either case. */
int service_sockets_make(
	struct service *service, const struct conf_service *conf, struct service_sockets *sockets);

/* All listeners must be closed. */
void service_sockets_free(struct service_sockets *sockets);

/* The listeners' events. */
void service_ready(struct listener *listener);
void service_opened(struct listener *listener);
void service_open_failed(struct listener *listener, const struct error *error);

/* A listener of it has just been opened or set right, unwatched: the group is looked at again. */
void service_group_refresh(struct service_group *group);

/* The service's errpipe; NULL where memory is out. */
struct errpipe *service_make_errpipe(struct service *service);

/* Program pid has this listener's socket, whose group is free; 0: no more. */
void service_hold(struct service_context *context, struct listener *listener, pid_t pid);

/* Program pid has ended: what it held is set right and watched again, or closed where it is no
   group's any more. */
void service_release(struct service_context *context, pid_t pid);

/* One start: what differs between a connection and a wait program. */
struct service_launch {
	struct spawn_slot *slot;
	struct child *child;         /* prepared */
	struct service_group *group; /* wait program: whose sockets it gets; NULL: a connection */
	const struct listener *listener;
	int fd; /* the connection; superd's copy is closed when the program has its own */
	const struct peer *local;
};

/*
 * From prepared slot and entry to a live child: environment, descriptors, spawn, table, report.
 * Returns 0; or -1: slot and entry are given back, the failure is reported and counted, fd is
 * still open, and the service is starved.
 */
int service_launch(struct service *service, const struct service_launch *launch);

/* The life of a program begins, which `time` and `idle` end. */
void service_deadline_start(struct child *child);

/* The program has ended: nothing is due any more. */
void service_deadline_stop(struct child *child);

/* The life of a program goes on, whose deadline is due at due_ns; 0: it has none. */
void service_deadline_resume(struct child *child, int64_t due_ns);

/* Room for one more start, or the service is starved and -1 returned. */
int service_prepare(struct service *service, struct spawn_slot **slot, struct child **child);

/* Gives unused room back. */
void service_unprepare(struct service *service, struct spawn_slot *slot, struct child *child);

/* It has to wait for descriptors, processes or slots. */
void service_starve(struct service *service);

/* A start failed before exec, or a wait program ended without doing anything: throttles it when
   that keeps happening. */
void service_note_failure(struct service *service);

/* A wait program came and went at once without an error, and as many wait as before: perhaps it
   served one and another came. It is not started again for a moment. */
void service_note_idle_run(struct service *service);

/* One start that worked: the row of failures is over. */
void service_note_success(struct service *service);

/* Somebody waits at a listener of a group without wait: up to 64 are accepted, or 16 refused. */
void service_accept(struct service_group *group, struct listener *listener);

/* Somebody waits at a wait group's listener: its program is started. */
void service_wait_start(struct service_group *group, struct listener *listener);

/* The group's program has ended: takes the sockets back. */
void service_wait_end(struct service_group *group, const struct child *child, int status);

/* Fills what a wait group of the service `name` needs besides its listeners. Returns 0, or -1 (out
   of memory). */
int service_wait_init(struct service_group *group, const char *name);

#endif
