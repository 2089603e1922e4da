/*
 * report: what the room writes to its log, one function an event.
 *
 * The log is a pipe that may be full because its reader stands still.  A line that would have to
 * wait is left out: no client is to wait for the log.
 */
#ifndef SERVICES_CHATROOM_REPORT_H
#define SERVICES_CHATROOM_REPORT_H

#include "services/chatroom/client.h"

#include <stddef.h>
#include <stdint.h>

/* Events that a client can repeat at will: at most one line a second. */
struct report_often {
	int64_t last_ns; /* when the last line was written; 0: never */
	size_t count;    /* events since */
};

/* "guest7 (192.0.2.7:41234) dropped: it does not read, its queue of 65536 bytes is full". */
void report_slow(const struct client *client);

/* "192.0.2.7:41234 refused: REASON", and how many others were since the last such line. */
void report_refused(
	struct report_often *often, const char *address, const char *reason, int64_t now_ns);

/* "accept: " and errno's text, at most once a second. */
void report_accept(struct report_often *often, int64_t now_ns);

#endif
