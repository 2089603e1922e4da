/*
 * door: where clients come in: the listening sockets that the room was given.
 *
 * They are blocking, and their open file descriptions are shared with the server that lent them,
 * so no flag is changed on them.  accept(2) is called only after poll(2) has called the socket
 * readable, once for each such answer.  It does not block then: a connection that is reset while it
 * waits stays in the kernel's queue and is handed out (and found reset by the first read), and
 * nobody else accepts: the server does not, and it starts no second program before the first has
 * ended.
 */
#ifndef SERVICES_CHATROOM_DOOR_H
#define SERVICES_CHATROOM_DOOR_H

#include "services/chatroom/report.h"
#include "services/chatroom/room.h"

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

struct door {
	int *fds; /* the listening sockets */
	size_t count;
	int64_t paused_ns; /* nobody is let in until then, because accept(2) failed */
	struct report_often refused;
	struct report_often failed;
};

/*
 * Finds the listening sockets among those given to the program.  Returns 0 (there may be none), or
 * -1 where there is no memory.
 */
int door_open(struct door *door);

/* Closes the sockets, which stay open with the server that lent them. */
void door_close(struct door *door);

/*
 * Lets clients in from the socket with this index, which poll(2) has called readable: at
 * most a batch of them, so that those inside are not kept waiting.
 */
void door_admit(struct door *door, size_t index, struct room *room, int64_t now_ns);

#endif
