/*
 * io: reads and writes that survive short counts, EINTR and EAGAIN, and that end at a deadline.
 *
 * Descriptors may be sockets, pipes, terminals or files, blocking or not.  No flag of theirs is
 * changed, because their open file description may be shared with another process: sockets are
 * used with MSG_DONTWAIT, everything else only once poll(2) has called it ready.
 */
#ifndef SERVICES_LIB_IO_H
#define SERVICES_LIB_IO_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* For timeout_ms: wait for ever. */
#define IO_FOREVER (-1)

/*
 * How long a call may wait.  One kind starts anew with every wait for the next byte (idle); the
 * other begins with the first wait and holds for all calls that share it (total); the third is both
 * at once.  None asks for the time before there is something to wait for.
 */
struct io_deadline {
	int timeout_ms; /* IO_FOREVER; 0: take what is there and never wait */
	bool total;
	int limit_ms;   /* idle: 0, or the longest time for all calls that share it */
	int64_t due_ns; /* total, limit_ms: monotonic time; 0 until the first wait */
};

/* A deadline that begins anew whenever a byte has moved. */
struct io_deadline io_deadline_idle(int timeout_ms);

/* A deadline for everything it is used for, from the first wait on. */
struct io_deadline io_deadline_total(int timeout_ms);

/*
 * A deadline that begins anew whenever a byte has moved, and also ends total_ms after the first
 * wait.  Either may be IO_FOREVER.
 */
struct io_deadline io_deadline_within(int idle_ms, int total_ms);

/* From now on a write to a closed connection fails with EPIPE instead of killing the process. */
void io_ignore_sigpipe(void);

/*
 * Waits until fd is ready for events (poll(2): POLLIN, POLLOUT) or has failed.  With an idle
 * deadline a wait for POLLOUT goes on as long as the peer of a socket takes bytes out of its queue.
 * Returns 0, or -1 with errno (ETIMEDOUT at the deadline).
 */
int io_wait(int fd, short events, struct io_deadline *deadline);

/*
 * The same for several descriptors as in poll(2), which are ready by their revents; a descriptor
 * of -1 is passed over.
 */
int io_wait_any(struct pollfd *watches, nfds_t count, struct io_deadline *deadline);

/*
 * Reads what has come, at least one byte.  Returns its length, 0 at end of file, or -1 with errno
 * (ETIMEDOUT at the deadline; ECONNRESET and others of the connection).
 */
ssize_t io_read(int fd, void *buffer, size_t size, struct io_deadline *deadline);

/*
 * The same for data that nobody looks at: of a TCP connection they are not even copied (MSG_TRUNC
 * in tcp(7)), and what is in buffer afterwards is undefined.
 */
ssize_t io_drop(int fd, void *buffer, size_t size, struct io_deadline *deadline);

/*
 * Reads exactly size bytes, fewer only where the file ends before.  Returns how many, or -1 with
 * errno.
 */
ssize_t io_read_full(int fd, void *buffer, size_t size, struct io_deadline *deadline);

/*
 * Writes as much as fits, at least one byte (size is not 0).  Returns its length, or -1 with errno
 * (ETIMEDOUT at the deadline, EPIPE or ECONNRESET when the reader is gone; never a SIGPIPE from a
 * socket).
 */
ssize_t io_write(int fd, const void *data, size_t size, struct io_deadline *deadline);

/* Writes all of data.  Returns 0, or -1 with errno as io_write(). */
int io_write_full(int fd, const void *data, size_t size, struct io_deadline *deadline);

/*
 * The orderly end of a connection after the last write: sends the end of file on out and reads
 * away what has come on in, at most 64 KiB and without waiting.  Closed with unread bytes, a socket
 * would be reset, and the reset could overtake the answer.  Both descriptors stay open; where
 * they are no sockets nothing happens.
 */
void io_finish(int in, int out);

#endif
