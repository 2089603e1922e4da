/*
 * loop: rounds of poll(2) over the signals, the door and everybody in the room.
 */
#ifndef SERVICES_CHATROOM_LOOP_H
#define SERVICES_CHATROOM_LOOP_H

#include "services/chatroom/door.h"
#include "services/chatroom/room.h"

/*
 * Runs the room until SIGTERM or SIGINT (with a farewell), until nobody has been here for idle_ms
 * (IO_FOREVER: for ever), or until the last has left a room without a door.  Returns the exit
 * status.
 */
int loop_run(struct room *room, struct door *door, int idle_ms);

#endif
