/*
 * chat: many users in one room, which is a program of its own while there is anybody in it.
 *
 * For superd's wait mode: it is given the listening sockets and accepts for itself.  By hand, with
 * a pipe or a terminal on descriptors 0 and 1, it is a room of one.
 */
#include "config.h"

#include "services/chatroom/loop.h"
#include "services/lib/io.h"
#include "services/lib/kind.h"
#include "services/lib/note.h"
#include "services/lib/options.h"
#include "services/lib/peer.h"
#include "services/lib/text.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MS_PER_S 1000
#define MAX_IDLE_S 1000000
#define DEFAULT_IDLE_S 60

#define DEFAULT_CLIENTS 1024
#define MAX_CLIENTS 1000000

#define DEFAULT_QUEUE 65536
#define MIN_QUEUE 8192
#define MAX_QUEUE (64 << 20)

/* Descriptors that are no clients and no listening sockets: standard ones, signals, one to refuse.
 */
#define OTHER_DESCRIPTORS 8

struct settings {
	int idle_ms;
	size_t clients;
	size_t queue_bytes;
};

static const struct options_entry entries[] = {
	{'t', "idle", "SECONDS", "end after so long without a client (default 60; 0: never)"},
	{0, "max-clients", "N", "refuse those who come when N are here (default 1024)"},
	{0, "max-queue", "BYTES", "drop a client with more than that unread (default 65536)"},
};

static int option_take(void *owner, const struct options_entry *entry, const char *value)
{
	struct settings *settings = owner;
	uint64_t number;

	if (entry == &entries[0]) {
		if (text_parse_unsigned(value, 0, MAX_IDLE_S, &number) != 0)
			return -1;
		settings->idle_ms = number == 0 ? IO_FOREVER : (int)number * MS_PER_S;
	} else if (entry == &entries[1]) {
		if (text_parse_unsigned(value, 1, MAX_CLIENTS, &number) != 0)
			return -1;
		settings->clients = (size_t)number;
	} else {
		if (text_parse_unsigned(value, MIN_QUEUE, MAX_QUEUE, &number) != 0)
			return -1;
		settings->queue_bytes = (size_t)number;
	}
	return 0;
}

static enum options_result settings_read(struct settings *settings, int argc, char **argv)
{
	struct options options = {
		.summary = "many users in one room (wait mode: on listening sockets)",
		.count = sizeof(entries) / sizeof(entries[0]),
		.entries = entries,
		.option_cb = option_take,
		.owner = settings,
	};
	size_t operands;

	*settings = (struct settings){
		.idle_ms = DEFAULT_IDLE_S * MS_PER_S,
		.clients = DEFAULT_CLIENTS,
		.queue_bytes = DEFAULT_QUEUE,
	};
	return options_parse(&options, argc, argv, &operands);
}

/* A descriptor for each client, as far as the hard limit goes: who comes then is told so. */
static void descriptors_provide(struct settings *settings, size_t doors)
{
	size_t others = OTHER_DESCRIPTORS + doors;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= settings->clients + others)
		return;
	limit.rlim_cur = settings->clients + others;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= settings->clients + others)
		return;
	settings->clients = limit.rlim_cur > others ? limit.rlim_cur - others : 1;
	note("fewer clients than --max-clients says: there are not enough descriptors", NULL);
}

/* Without a listening socket: the client on descriptors 0 and 1, alone. */
static int console_join(struct room *room)
{
	char address[PEER_TEXT_SIZE];
	struct timespec now;
	struct peer peer;

	peer_client(&peer);
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (room_join(room, STDIN_FILENO, STDOUT_FILENO, peer_format(&peer, address),
		    now.tv_sec * INT64_C(1000000000) + now.tv_nsec) == NULL) {
		note_errno("console");
		return STATUS_TEMPFAIL;
	}
	return STATUS_DONE;
}

static int chat_run(struct settings *settings, struct door *door)
{
	struct room room;
	int status;

	descriptors_provide(settings, door->count);
	if (room_open(&room, settings->clients, settings->queue_bytes) != 0) {
		note_errno("room");
		return STATUS_TEMPFAIL;
	}
	status = door->count == 0 ? console_join(&room) : STATUS_DONE;
	if (status == STATUS_DONE)
		status = loop_run(&room, door, settings->idle_ms);
	room_free(&room);
	return status;
}

int main(int argc, char **argv)
{
	struct settings settings;
	struct door door;
	enum options_result result = settings_read(&settings, argc, argv);
	int status;

	if (result != OPTIONS_RUN)
		return options_status(result);
	io_ignore_sigpipe();
	if (door_open(&door) != 0) {
		note_errno("sockets");
		return STATUS_TEMPFAIL;
	}
	if (door.count == 0 && kind_of(STDIN_FILENO) != KIND_OTHER) {
		note("descriptor 0 is a ", kind_name(kind_of(STDIN_FILENO)),
			" socket, but a room needs listening ones (superd.conf: wait = yes)", NULL);
		status = STATUS_USAGE;
	} else {
		status = chat_run(&settings, &door);
	}
	door_close(&door);
	return status;
}
