/*
 * log: one line per event, as key=value text or one JSON object, to stderr, a file or syslog.
 *
 * A record is composed on the caller's stack and handed to a sink.  Sinks buffer; log_flush()
 * at the end of a turn of the loop writes what has come with one write(2) a sink.  Logging
 * never blocks and never fails: what a sink does not take waits in a buffer of 64 KiB, or is
 * dropped whole lines at a time, counted, and told with "event=log-dropped count=N" once the
 * sink has taken all that waited.  The process must ignore SIGPIPE.
 */
#ifndef SUPERD_LOG_H
#define SUPERD_LOG_H

#include "superd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_NOTICE, LEVEL_INFO, LEVEL_DEBUG };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };
enum log_format { LOG_TEXT, LOG_JSON };

/* "error", "warning", "notice", "info", "debug". */
const char *log_level_name(enum log_level level);

/* The level of that name; returns 0, or -1 where there is none. */
int log_level_parse(const char *name, enum log_level *level);

struct log_sink;

/* What makes a sink: two equal specs share one. */
struct log_spec {
	enum log_target to;
	enum log_format format;
	int facility;     /* syslog: LOG_DAEMON, ... (syslog(3)) */
	const char *file; /* LOG_TO_FILE: path */
};

/*
 * Opens a sink, or shares the one of an equal spec (counted).  stderr: descriptor 2 is opened
 * anew through /proc/self/fd/2 where it is a pipe, terminal or file, so that O_NONBLOCK (and
 * for files O_APPEND) is set on a description of superd's own; a socket gets MSG_DONTWAIT.
 * All descriptors are moved to 256 and above, close-on-exec.  syslog: an own datagram socket to
 * /dev/log, connected anew when the daemon comes back; never an error when it is absent.
 * Returns 0, or -1 with *error (file cannot be opened).  End it with log_sink_close().
 */
int log_sink_open(const struct log_spec *spec, struct log_sink **sink, struct error *error);

/* Flushes and gives one share back; the last one closes. */
void log_sink_close(struct log_sink *sink);

/* Writes out what all sinks hold, without blocking. */
void log_flush(void);

/*
 * Whether lines still wait, or drops are still to be told of, after a log_flush(): then flush
 * again within a second or so, also where nothing more is logged.
 */
bool log_pending(void);

/* Opens every file sink's path anew (after logrotate); on failure the old file stays in use.
   Returns 0, or -1 with *error of the last one that failed. */
int log_reopen(struct error *error);

/* Lines dropped by all sinks since start. */
uint64_t log_dropped(void);

/* One line under composition.  Treat as opaque. */
struct log_record {
	struct log_sink *sink; /* NULL: discarded */
	enum log_level level;
	enum log_format format;
	size_t used;
	char text[4096]; /* fields only; a field that does not fit is cut, the line stays valid */
};

/* Starts a record with its first key: event=NAME.  sink NULL discards all that follows. */
void log_begin(
	struct log_record *record, struct log_sink *sink, enum log_level level, const char *event);

/*
 * Append key=value.  Text: values are quoted when empty or when they hold a blank, '"', '=',
 * '\' or anything that is not printable ASCII; inside quotes '"' and '\' get a '\' and other
 * bytes become \n, \t, \r or \xHH.  JSON: a string, RFC 8259 escapes, bytes that are not UTF-8
 * as \u00HH.
 */
void log_string(struct log_record *record, const char *key, const char *value);
void log_bytes(struct log_record *record, const char *key, const char *value, size_t length);
/* A JSON number, bare in text. */
void log_int(struct log_record *record, const char *key, int64_t value);
/* "5f2c": lower-case hex in text, the same as a string in JSON. */
void log_hex(struct log_record *record, const char *key, uint64_t value);
/* printf into a string value of at most 1023 bytes. */
void log_format(struct log_record *record, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Hands the line to the sink: file and stderr lines get time and level in front (text) or as
   the keys "time" and "level" (JSON); syslog gets its priority and "superd[pid]: ". */
void log_end(struct log_record *record);

#endif
