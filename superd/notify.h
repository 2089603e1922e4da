/*
 * notify: superd's state told to the service manager (sd_notify(3), spoken directly): datagrams to
 * the unix socket that NOTIFY_SOCKET names. Nothing here ever waits; without that variable
 * nothing happens at all.
 */
#ifndef SUPERD_NOTIFY_H
#define SUPERD_NOTIFY_H

#include "superd/addr.h"
#include "superd/error.h"
#include "superd/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_MESSAGE_SIZE 256
#define NOTIFY_QUEUE 4 /* changes of state that the manager has not taken yet */

struct notify {
	int fd; /* -1: nobody to tell */
	struct addr manager;
	struct loop *loop;
	void (*status_cb)(void *owner, char *text, size_t size);
	void *owner;
	bool ready; /* the manager was told of the start, and wants to know more */
	/* what it did not take yet, the oldest first */
	char queue[NOTIFY_QUEUE][NOTIFY_MESSAGE_SIZE];
	size_t queued;
	struct loop_timer retry;
	/* the status: looked at once a second at most, and told when it has changed */
	char status[NOTIFY_MESSAGE_SIZE];
	bool status_due;
	struct loop_timer status_timer;
	/* WATCHDOG_USEC */
	int64_t watchdog_ns; /* half of it; 0: none */
	struct loop_timer watchdog;
};

/*
 * Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID from the environment (where they stay).
 * status_cb writes one line about superd for people; it is called at most once a second.
 * notify must not move; ended with notify_end(), also on failure. Returns 0; or -1 with *error
 * where the variable is there and means nothing: nobody is told anything then.
 */
int notify_init(struct notify *notify, struct loop *loop,
	void (*status_cb)(void *owner, char *text, size_t size), void *owner, struct error *error);

/* Closes; nothing more is told. */
void notify_end(struct notify *notify);

/* READY=1: superd serves, after its start or after a reload (done or given up). */
void notify_ready(struct notify *notify);

/* RELOADING=1: until the next notify_ready(). */
void notify_reloading(struct notify *notify);

/* STOPPING=1, and that it may take up to within_ns until superd has ended. */
void notify_stopping(struct notify *notify, int64_t within_ns);

/* At the end of every turn of the loop: looks at the status where that is due. */
void notify_turn(struct notify *notify);

#endif
