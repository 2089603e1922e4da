/*
 * loop: rounds of poll(2) over the signals, the door and everybody in the room.
 *
 * One round reads one piece from each client that has sent something, queues what follows from
 * it, and sends each client all that is queued for it at once.  So a round's work for one
 * client is bounded, and the more there is to do, the larger are the batches.
 *
 * When everybody talks at once, more can be said than any queue holds before the readers have had a
 * chance to read.  So a round ends when a part of a queue has been said (the others have their
 * turn in the next one); and while some of those who read lag behind, nobody is heard for a moment
 * (room_patience_ns()).
 */
#include "config.h"

#include "services/chatroom/loop.h"
#include "services/chatroom/talk.h"
#include "services/lib/io.h"
#include "services/lib/note.h"
#include "services/lib/options.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

#define PIECE_SIZE 4096

/* The part of a queue that is said in one round at most, but for one piece. */
#define ROUND_PART 8

struct loop {
	struct room *room;
	struct door *door;
	int64_t idle_ns;  /* 0: for ever */
	int64_t empty_ns; /* since when nobody has been here */
	int signals;
	bool lent_doors;     /* there was a door at the start */
	size_t turn;         /* the client that is heard first */
	int64_t paced_ns;    /* since when nobody is heard because the room lags; 0: it does not */
	int64_t patience_ns; /* for how long */
	/* The signals, the door's sockets, each client's in, the console's out. */
	struct pollfd *watches;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* By signalfd(2): no handler, and no state outside of this loop. */
static int signals_open(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) != 0)
		return -1;
	return signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC);
}

static struct pollfd *client_watches(const struct loop *loop)
{
	return loop->watches + 1 + loop->door->count;
}

/* Whether clients are heard in this round. */
static bool pace_allows(struct loop *loop, int64_t now)
{
	loop->patience_ns = room_patience_ns(loop->room, now);
	if (loop->patience_ns == 0) {
		loop->paced_ns = 0;
		return true;
	}
	if (loop->paced_ns == 0) {
		loop->paced_ns = now;
		return false;
	}
	if (now - loop->paced_ns < loop->patience_ns)
		return false;
	loop->paced_ns = now;
	return true;
}

/* poll(2) passes over negative descriptors. */
static void client_watch(const struct client *client, bool heard, struct pollfd *watch)
{
	short events = client->end == CLIENT_HERE && heard ? POLLIN : 0;

	if (client->blocked && client->out == client->in)
		events |= POLLOUT;
	*watch = (struct pollfd){.fd = events != 0 ? client->in : -1, .events = events};
}

/* Returns how many watches there are. */
static nfds_t watches_fill(struct loop *loop, bool heard, int64_t now)
{
	/* Who comes is announced, which those who lag are spared, too. */
	bool open = heard && !loop->room->closing && now >= loop->door->paused_ns;
	struct pollfd *watch = loop->watches;

	*watch++ = (struct pollfd){.fd = loop->signals, .events = POLLIN};
	for (size_t i = 0; i < loop->door->count; i++)
		*watch++ = (struct pollfd){.fd = open ? loop->door->fds[i] : -1, .events = POLLIN};
	for (size_t i = 0; i < loop->room->count; i++)
		client_watch(loop->room->clients[i], heard, watch++);
	/* Only a console has two descriptors, and then it is the only client. */
	if (loop->room->count == 1 && loop->room->clients[0]->out != loop->room->clients[0]->in)
		*watch++ = (struct pollfd){
			.fd = loop->room->clients[0]->blocked ? loop->room->clients[0]->out : -1,
			.events = POLLOUT};
	return (nfds_t)(watch - loop->watches);
}

static int64_t earlier(int64_t one, int64_t other)
{
	return one == 0 || (other != 0 && other < one) ? other : one;
}

/* For poll(2): until the next thing that is due without anybody doing anything. */
static int wait_ms(const struct loop *loop, bool heard, int64_t now)
{
	int64_t due = room_due_ns(loop->room);
	int64_t left;

	if (!heard)
		due = earlier(due, loop->paced_ns + loop->patience_ns);
	if (loop->door->paused_ns > now)
		due = earlier(due, loop->door->paused_ns);
	if (loop->room->count == 0 && loop->idle_ns != 0)
		due = earlier(due, loop->empty_ns + loop->idle_ns);
	if (due == 0)
		return IO_FOREVER;
	left = due - now;
	return left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

static void client_hear(struct loop *loop, struct client *client, int64_t now)
{
	char piece[PIECE_SIZE];
	ssize_t got;

	got = client_receive(client, piece, sizeof(piece));
	if (got > 0)
		talk_hear(loop->room, client, piece, (size_t)got, now);
	else if (got == 0)
		talk_end(loop->room, client, now);
}

/* The connections that have become free again; nobody is removed before the sweep. */
static void clients_unblock(struct loop *loop, nfds_t watches)
{
	const struct pollfd *watch = client_watches(loop);
	size_t count = loop->room->count;

	for (size_t i = 0; i < count; i++)
		if ((watch[i].revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
			loop->room->clients[i]->blocked = false;
	if (1 + loop->door->count + count < watches && watch[count].revents != 0)
		loop->room->clients[0]->blocked = false;
}

/* Hears those who have sent something, until enough has been said for one round. */
static void clients_hear(struct loop *loop, int64_t now)
{
	const struct pollfd *watch = client_watches(loop);
	struct room *room = loop->room;
	size_t count = room->count;
	size_t first = loop->turn < count ? loop->turn : 0;

	for (size_t i = 0; i < count; i++) {
		size_t index = (first + i) % count;
		struct client *client = room->clients[index];

		if (room->told_bytes > room->queue_bytes / ROUND_PART) {
			loop->turn = index;
			return;
		}
		if (client->end == CLIENT_HERE && (watch[index].revents & ~POLLOUT) != 0)
			client_hear(loop, client, now);
	}
}

/* From the last to the first, because one that fails for ever is replaced by the last. */
static void door_serve(struct loop *loop, int64_t now)
{
	for (size_t i = loop->door->count; i > 0; i--)
		if (loop->watches[i].revents != 0)
			door_admit(loop->door, i - 1, loop->room, now);
}

static void signals_serve(struct loop *loop, int64_t now)
{
	struct signalfd_siginfo signal;

	while (read(loop->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
		if (!loop->room->closing)
			room_close(loop->room, now);
}

static bool loop_done(const struct loop *loop, int64_t now)
{
	if (loop->room->count > 0)
		return false;
	if (loop->room->closing || loop->door->count == 0)
		return true;
	return loop->idle_ns != 0 && now - loop->empty_ns >= loop->idle_ns;
}

/* Returns 0, or -1 with errno where poll(2) failed. */
static int loop_round(struct loop *loop)
{
	int64_t now = now_ns();
	bool heard = pace_allows(loop, now);
	nfds_t watches = watches_fill(loop, heard, now);

	if (poll(loop->watches, watches, wait_ms(loop, heard, now)) < 0 && errno != EINTR)
		return -1;
	now = now_ns();
	clients_unblock(loop, watches);
	clients_hear(loop, now);
	if (loop->watches[0].revents != 0)
		signals_serve(loop, now);
	door_serve(loop, now);
	/* Before the sweep: the idle time begins when the last leaves. */
	if (loop->room->count > 0)
		loop->empty_ns = now;
	room_sweep(loop->room, now);
	return 0;
}

static int loop_rounds(struct loop *loop)
{
	while (!loop_done(loop, now_ns())) {
		if (loop_round(loop) != 0) {
			note_errno("poll");
			return STATUS_FAILED;
		}
	}
	if (loop->lent_doors && loop->door->count == 0) {
		note("no socket listens any more", NULL);
		return STATUS_FAILED;
	}
	return STATUS_DONE;
}

int loop_run(struct room *room, struct door *door, int idle_ms)
{
	struct loop loop = {
		.room = room,
		.door = door,
		.idle_ns = idle_ms != IO_FOREVER ? idle_ms * NS_PER_MS : 0,
		.empty_ns = now_ns(),
		.signals = signals_open(),
		.lent_doors = door->count > 0,
		.watches = calloc(room->capacity + door->count + 2, sizeof(struct pollfd)),
	};
	int status = STATUS_TEMPFAIL;

	if (loop.signals < 0) {
		note_errno("signalfd");
		goto out;
	}
	if (loop.watches == NULL) {
		note_errno("calloc");
		goto out;
	}
	status = loop_rounds(&loop);
out:
	free(loop.watches);
	if (loop.signals >= 0)
		close(loop.signals);
	return status;
}
