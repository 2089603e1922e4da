/*
 * errpipe: one pipe, a line buffer, a budget of lines.
 */
#include "config.h"
#include "superd/errpipe.h"

#include "superd/clock.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_PER_SECOND 20
#define READS_PER_TURN 16
#define LINGER_NS CLOCK_NS_PER_S

struct errpipe {
	struct loop *loop;
	void (*line_cb)(void *owner, const char *text, size_t length, uint64_t dropped);
	void *owner;
	struct loop_watch watch; /* the reading end; fd -1: no pipe */
	struct loop_timer linger;
	struct loop_timer late; /* started: dropped is to be told, line or no line */
	int write_fd;
	int64_t second_ns; /* start of the second that is counted */
	unsigned lines;    /* in it */
	uint64_t dropped;  /* and not told yet; 0 without a pipe */
	size_t used;
	char line[ERRPIPE_LINE_MAX];
};

#define ERRPIPE_OF(pointer, member) \
	((struct errpipe *)(void *)((char *)(pointer)-offsetof(struct errpipe, member)))

/* Passes a line on (NULL: none), with the count of those before it. */
static void errpipe_pass(struct errpipe *errpipe, const char *text, size_t length)
{
	uint64_t dropped = errpipe->dropped;

	errpipe->dropped = 0;
	loop_timer_stop(errpipe->loop, &errpipe->late);
	errpipe->line_cb(errpipe->owner, text, length, dropped);
}

/* Tells the count alone. */
static void errpipe_tell(struct errpipe *errpipe)
{
	if (errpipe->dropped > 0)
		errpipe_pass(errpipe, NULL, 0);
}

static void errpipe_late(struct loop_timer *timer)
{
	errpipe_tell(ERRPIPE_OF(timer, late));
}

/* There may be no later line. Without memory for the timer the next drop tries again. */
static void errpipe_drop(struct errpipe *errpipe)
{
	errpipe->dropped++;
	if (errpipe->late.slot == 0)
		loop_timer_start(
			errpipe->loop, &errpipe->late, errpipe->second_ns + CLOCK_NS_PER_S);
}

/* Passes the line on, or drops it where the second's budget is spent. */
static void errpipe_line(struct errpipe *errpipe)
{
	int64_t now_ns = clock_now_ns();

	if (now_ns - errpipe->second_ns >= CLOCK_NS_PER_S) {
		errpipe->second_ns = now_ns;
		errpipe->lines = 0;
	}
	if (errpipe->lines >= LINES_PER_SECOND) {
		errpipe_drop(errpipe);
	} else {
		errpipe->lines++;
		errpipe_pass(errpipe, errpipe->line, errpipe->used);
	}
	errpipe->used = 0;
}

static void errpipe_take(struct errpipe *errpipe, const char *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (data[i] == '\n') {
			errpipe_line(errpipe);
			continue;
		}
		errpipe->line[errpipe->used++] = data[i];
		if (errpipe->used == sizeof(errpipe->line))
			errpipe_line(errpipe);
	}
}

/* Reads what is there, at most so many times. */
static void errpipe_read(struct errpipe *errpipe)
{
	char data[4096];
	ssize_t got;

	for (int i = 0; i < READS_PER_TURN; i++) {
		got = read(errpipe->watch.fd, data, sizeof(data));
		if (got <= 0)
			return;
		errpipe_take(errpipe, data, (size_t)got);
	}
}

static void errpipe_ready(struct loop_watch *watch, unsigned events)
{
	(void)events;
	errpipe_read(ERRPIPE_OF(watch, watch));
}

static void errpipe_close(struct errpipe *errpipe)
{
	loop_timer_stop(errpipe->loop, &errpipe->linger);
	if (errpipe->watch.fd < 0)
		return;
	errpipe_read(errpipe);
	if (errpipe->used > 0)
		errpipe_line(errpipe);
	errpipe_tell(errpipe);
	loop_watch_stop(errpipe->loop, &errpipe->watch);
	close(errpipe->watch.fd);
	close(errpipe->write_fd);
	errpipe->watch.fd = -1;
	errpipe->write_fd = -1;
}

static void errpipe_linger(struct loop_timer *timer)
{
	errpipe_close(ERRPIPE_OF(timer, linger));
}

struct errpipe *errpipe_new(struct loop *loop,
	void (*line_cb)(void *owner, const char *text, size_t length, uint64_t dropped),
	void *owner)
{
	struct errpipe *errpipe = calloc(1, sizeof(*errpipe));

	if (errpipe == NULL)
		return NULL;
	errpipe->loop = loop;
	errpipe->line_cb = line_cb;
	errpipe->owner = owner;
	errpipe->watch.fd = -1;
	errpipe->watch.ready_cb = errpipe_ready;
	errpipe->linger.fire_cb = errpipe_linger;
	errpipe->late.fire_cb = errpipe_late;
	errpipe->write_fd = -1;
	return errpipe;
}

void errpipe_export(const struct errpipe *errpipe, struct errpipe_snapshot *snapshot)
{
	*snapshot = (struct errpipe_snapshot){
		.read_fd = errpipe->watch.fd,
		.write_fd = errpipe->write_fd,
		.dropped = (int64_t)errpipe->dropped,
		.used = errpipe->used,
	};
	memcpy(snapshot->line, errpipe->line, errpipe->used);
}

int errpipe_import(
	struct errpipe *errpipe, const struct errpipe_snapshot *snapshot, struct error *error)
{
	struct stat ends[2];

	if (snapshot->read_fd < 0)
		return 0;
	if (snapshot->used >= ERRPIPE_LINE_MAX || fstat(snapshot->read_fd, &ends[0]) != 0 ||
		fstat(snapshot->write_fd, &ends[1]) != 0 || !S_ISFIFO(ends[0].st_mode) ||
		!S_ISFIFO(ends[1].st_mode))
		return error_set(error, 0, "descriptors %d and %d are no pipe", snapshot->read_fd,
			snapshot->write_fd);
	errpipe->watch.fd = snapshot->read_fd;
	if (loop_watch_start(errpipe->loop, &errpipe->watch, LOOP_READ, error) != 0) {
		errpipe->watch.fd = -1;
		return -1;
	}
	errpipe->write_fd = snapshot->write_fd;
	errpipe->dropped = (uint64_t)snapshot->dropped;
	errpipe->used = snapshot->used;
	memcpy(errpipe->line, snapshot->line, snapshot->used);
	/* Its second was the other superd's; a line that is there already goes first. */
	if (errpipe->dropped > 0)
		loop_timer_start(errpipe->loop, &errpipe->late, clock_now_ns());
	return 0;
}

void errpipe_free(struct errpipe *errpipe)
{
	if (errpipe == NULL)
		return;
	errpipe_close(errpipe);
	free(errpipe);
}

int errpipe_use(struct errpipe *errpipe, struct error *error)
{
	int ends[2];

	loop_timer_stop(errpipe->loop, &errpipe->linger);
	if (errpipe->watch.fd >= 0)
		return errpipe->write_fd;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set(error, errno, "pipe for standard error");
	/* The writing end stays low, where a new program's table reaches. */
	ends[0] = descriptor_raise(ends[0]);
	descriptor_set_blocking(ends[0], false);
	errpipe->watch.fd = ends[0];
	if (loop_watch_start(errpipe->loop, &errpipe->watch, LOOP_READ, error) != 0) {
		close(ends[0]);
		close(ends[1]);
		errpipe->watch.fd = -1;
		return -1;
	}
	errpipe->write_fd = ends[1];
	return errpipe->write_fd;
}

void errpipe_idle(struct errpipe *errpipe)
{
	if (errpipe->watch.fd < 0)
		return;
	if (loop_timer_start(errpipe->loop, &errpipe->linger, clock_now_ns() + LINGER_NS) != 0)
		errpipe_close(errpipe);
}
