/*
 * serve: runs a service's one function in whichever mode descriptor 0 asks for.
 *
 * - A connected stream socket, a pipe, a terminal, a file: stream_cb is called once, with the
 *   client on descriptors 0 and 1.
 * - A listening socket (superd's wait mode): connections of all sockets of LISTEN_FDS are
 *   accepted, and for each a process is forked whose client is on 0 and 1.  At most
 *   SERVE_MAX_CLIENTS at once; further ones wait in the kernel's queue.  Processes, because
 *   they keep stream_cb as simple as in the first mode; a service with state in common or with
 *   many clients brings a loop of its own.
 * - A datagram socket: datagram_cb is called for each that may be answered.
 *
 * The last two end with status 0 after the idle time without a client.
 */
#ifndef SERVICES_LIB_SERVE_H
#define SERVICES_LIB_SERVE_H

#include "services/lib/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SERVE_IDLE_S 60
#define SERVE_MAX_CLIENTS 64

/* What datagram_cb returns instead of a length. */
#define SERVE_NO_ANSWER (-1)
#define SERVE_MALFORMED (-2) /* no request: logged with its source, at most a line a second */

struct serve {
	const struct service *service;
	int idle_ms; /* from -t, for io_deadline_idle() and io_deadline_total(); IO_FOREVER: -t 0 */
};

struct service {
	const char *summary; /* for -h: what it does, one line */
	size_t option_count; /* own options; -t, -h and -V come by themselves */
	const struct options_entry *options;
	/* As in struct options; NULL where there are no own options. */
	int (*option_cb)(void *state, const struct options_entry *entry, const char *value);
	/* Serves the client on descriptors 0 and 1; returns the exit status. */
	int (*stream_cb)(const struct serve *serve);
	/*
	 * Serves one datagram, length bytes in data, which has room for size (DGRAM_SIZE) bytes:
	 * writes the answer over it and returns its length, SERVE_NO_ANSWER or SERVE_MALFORMED.
	 * NULL: the service is for streams only.
	 */
	ssize_t (*datagram_cb)(const struct serve *serve, char *data, size_t length, size_t size);
	bool silent; /* datagram_cb never answers: every datagram is passed to it, wherever from */
	void *state; /* the service's own */
};

/* A service's main(): options, mode, loop.  Returns the exit status (enum in options.h). */
int serve_main(const struct service *service, int argc, char **argv);

/*
 * Logs "CLIENT: what: " and errno's text, or "time-out" for ETIMEDOUT, and returns STATUS_FAILED:
 * "return serve_failed("read");".
 */
int serve_failed(const char *what);

/* Logs "CLIENT: what" and returns STATUS_FAILED, for faults of the client. */
int serve_refused(const char *what);

#endif
