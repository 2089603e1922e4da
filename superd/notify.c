/*
 * notify: one datagram a message. A change of state that the manager's queue does not take is
 * sent again; a status is not, for the next one says more.
 */
#include "config.h"
#include "superd/notify.h"

#include "superd/clock.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_NS (100 * CLOCK_NS_PER_MS)
#define STATUS_NS CLOCK_NS_PER_S
#define NS_PER_US 1000

#define NOTIFY_OF(pointer, member) \
	((struct notify *)(void *)((char *)(pointer)-offsetof(struct notify, member)))

/* Whether the message is gone; nothing else can be done about one that nobody will ever take. */
static bool notify_send(struct notify *notify, const char *text)
{
	return sendto(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		       &notify->manager.u.any, notify->manager.length) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM);
}

static void notify_drop_first(struct notify *notify)
{
	notify->queued--;
	memmove(notify->queue[0], notify->queue[1], notify->queued * sizeof(notify->queue[0]));
}

static void notify_flush(struct notify *notify)
{
	while (notify->queued > 0 && notify_send(notify, notify->queue[0]))
		notify_drop_first(notify);
	if (notify->queued > 0)
		loop_timer_start(notify->loop, &notify->retry, clock_now_ns() + RETRY_NS);
}

static void notify_retry(struct loop_timer *timer)
{
	notify_flush(NOTIFY_OF(timer, retry));
}

/* A change of state: what stands in the queue already is older, and the oldest says least. */
static void notify_change(struct notify *notify, const char *text)
{
	if (notify->queued == NOTIFY_QUEUE)
		notify_drop_first(notify);
	snprintf(notify->queue[notify->queued++], NOTIFY_MESSAGE_SIZE, "%s", text);
	notify_flush(notify);
}

/* "STATUS=..." where it differs from what was told last; otherwise "". */
static const char *notify_status(struct notify *notify)
{
	char text[NOTIFY_MESSAGE_SIZE - 64] = "";

	notify->status_cb(notify->owner, text, sizeof(text));
	if (strcmp(notify->status, text) == 0)
		return "";
	snprintf(notify->status, sizeof(notify->status), "%s", text);
	return notify->status;
}

static void notify_tell_status(struct notify *notify)
{
	const char *text = notify_status(notify);
	char message[NOTIFY_MESSAGE_SIZE + 16];

	if (text[0] == '\0')
		return;
	snprintf(message, sizeof(message), "STATUS=%s", text);
	if (!notify_send(notify, message))
		notify->status[0] = '\0'; /* it differs from what the manager knows */
}

static void notify_status_timer(struct loop_timer *timer)
{
	NOTIFY_OF(timer, status_timer)->status_due = true;
}

/*
 * The turn that the timer makes looks, every other one sets it: after the last thing that happens
 * the status is looked at once more, and then superd sleeps.
 */
void notify_turn(struct notify *notify)
{
	if (notify->fd < 0 || !notify->ready)
		return;
	if (notify->status_due) {
		notify->status_due = false;
		notify_tell_status(notify);
	} else if (notify->status_timer.slot == 0) {
		loop_timer_start(
			notify->loop, &notify->status_timer, loop_now_ns(notify->loop) + STATUS_NS);
	}
}

/* It is the loop that says it lives: one that hangs somewhere says nothing. */
static void notify_watchdog(struct loop_timer *timer)
{
	struct notify *notify = NOTIFY_OF(timer, watchdog);
	int64_t next_ns = notify->watchdog_ns;

	if (!notify_send(notify, "WATCHDOG=1") && next_ns > RETRY_NS)
		next_ns = RETRY_NS;
	loop_timer_start(notify->loop, timer, loop_now_ns(notify->loop) + next_ns);
}

/* Half of WATCHDOG_USEC where it is meant for this process, otherwise 0. */
static int64_t notify_watchdog_ns(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	const char *text = getenv("WATCHDOG_USEC");
	long long microseconds;
	char *end;

	if (text == NULL || (pid != NULL && strtol(pid, NULL, 10) != getpid()))
		return 0;
	errno = 0;
	microseconds = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || microseconds <= 0 || microseconds > INT64_MAX / NS_PER_US)
		return 0;
	return (int64_t)microseconds * NS_PER_US / 2;
}

int notify_init(struct notify *notify, struct loop *loop,
	void (*status_cb)(void *owner, char *text, size_t size), void *owner, struct error *error)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*notify = (struct notify){
		.fd = -1,
		.loop = loop,
		.status_cb = status_cb,
		.owner = owner,
		.retry = {.fire_cb = notify_retry},
		.status_timer = {.fire_cb = notify_status_timer},
		.watchdog = {.fire_cb = notify_watchdog},
	};
	if (name == NULL || name[0] == '\0')
		return 0;
	if ((name[0] != '/' && name[0] != '@') || addr_set_unix(name, &notify->manager) != 0)
		return error_set(error, 0, "NOTIFY_SOCKET is no name of a unix socket");
	notify->fd = descriptor_raise(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (notify->fd < 0)
		return error_set(error, errno, "NOTIFY_SOCKET: socket");
	notify->watchdog_ns = notify_watchdog_ns();
	return 0;
}

void notify_end(struct notify *notify)
{
	if (notify->fd < 0)
		return;
	loop_timer_stop(notify->loop, &notify->retry);
	loop_timer_stop(notify->loop, &notify->status_timer);
	loop_timer_stop(notify->loop, &notify->watchdog);
	close(notify->fd);
	notify->fd = -1;
}

void notify_ready(struct notify *notify)
{
	char message[NOTIFY_MESSAGE_SIZE];

	if (notify->fd < 0)
		return;
	notify_status(notify);
	snprintf(message, sizeof(message), "READY=1\nMAINPID=%d\nSTATUS=%.*s", (int)getpid(),
		(int)sizeof(message) - 64, notify->status);
	notify_change(notify, message);
	if (!notify->ready && notify->watchdog_ns > 0)
		notify_watchdog(&notify->watchdog);
	notify->ready = true;
}

void notify_reloading(struct notify *notify)
{
	char message[NOTIFY_MESSAGE_SIZE];

	if (notify->fd < 0)
		return;
	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)(clock_now_ns() / NS_PER_US));
	notify_change(notify, message);
}

void notify_stopping(struct notify *notify, int64_t within_ns)
{
	char message[NOTIFY_MESSAGE_SIZE];

	if (notify->fd < 0)
		return;
	notify_status(notify);
	snprintf(message, sizeof(message), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld\nSTATUS=%.*s",
		(long long)(within_ns / NS_PER_US), (int)sizeof(message) - 96, notify->status);
	notify_change(notify, message);
}
