/*
 * report: one function per event: one line, one counter.
 *
 * Events that repeat (refusals, errors) are summarised: at most one line a second for each
 * service and reason, with the count; the first is told at once, the last not later than a
 * second after it happened.
 */
#ifndef SUPERD_REPORT_H
#define SUPERD_REPORT_H

#include "superd/addr.h"
#include "superd/conf.h"
#include "superd/error.h"
#include "superd/histogram.h"
#include "superd/log.h"
#include "superd/loop.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>

#define REPORT_REASONS 16 /* refusal reasons, at most: callers number theirs from 0 */

struct report;

/*
 * Makes the reporter. sink (shared; the reporter's to close) and level are for superd's own
 * lines. forced_level is a level for everything, whatever the configuration says; -1: none.
 * Returns 0, or -1 with *error.
 */
int report_new(struct loop *loop, struct log_sink *sink, enum log_level level, int forced_level,
	struct report **report, struct error *error);

void report_free(struct report *report);

/* What has been counted for one service since it came to be. */
struct report_counts {
	uint64_t accepted;
	uint64_t refused[REPORT_REASONS];
	uint64_t failed; /* programs that could not be started, and accept(2) itself */
	uint64_t exited_ok;
	uint64_t exited_nonzero;
	uint64_t exited_signal;
	struct histogram start; /* from accept to exec, of programs that got there */
	struct histogram life;  /* of programs that have ended */
};

/* One service as the log knows it. */
struct report_subject;

/*
 * A subject for the service of conf, whose lines go to sink (shared; the subject's to close).
 * Returns NULL where memory is out.
 */
struct report_subject *report_subject_new(
	struct report *report, const struct conf_service *conf, struct log_sink *sink);

/* Tells what is still pending and frees. */
void report_subject_free(struct report_subject *subject);

/*
 * The service has another configuration from now on; what is still to be told of the old one is
 * copied. sink takes the place of the one it has, which is closed; NULL: it stays.
 */
void report_subject_set(
	struct report_subject *subject, const struct conf_service *conf, struct log_sink *sink);

const struct report_counts *report_subject_counts(const struct report_subject *subject);

/* Goes on counting from counts. */
void report_subject_restore(struct report_subject *subject, const struct report_counts *counts);

/* One connection or one run of a wait program, as every line about it names it. */
struct report_session {
	uint64_t id;
	const struct peer *peer;  /* AF_UNSPEC: none */
	const struct peer *local; /* NULL or AF_UNSPEC: not known */
	const char *endpoint;     /* where there is no local address: "unix /run/x"; or NULL */
	pid_t pid;
};

void report_accept(
	struct report_subject *subject, const struct report_session *session, unsigned running);

/* A program runs, took_ns after its connection was accepted: counted, no line. */
void report_started(struct report_subject *subject, int64_t took_ns);

/* A program's time is over: limit is the option that says so, "time" or "idle". */
void report_deadline(
	struct report_subject *subject, const struct report_session *session, const char *limit);

/* status and usage are wait4(2)'s. */
void report_exit(struct report_subject *subject, const struct report_session *session, int status,
	const struct rusage *usage, int64_t elapsed_ns);

/* reason is the refusal's number, name its text. */
void report_refuse(
	struct report_subject *subject, const struct peer *peer, unsigned reason, const char *name);

/* A step towards a running program that failed. */
struct report_failure {
	const struct peer *peer; /* NULL or AF_UNSPEC: none */
	pid_t pid;               /* 0: none */
	const char *step;        /* "exec", "accept", "clone", "bind", ... */
	int code;                /* errno; 0: none */
	const char *text;        /* where errno does not say it; NULL: errno's text */
	const char *path;        /* what it was about; NULL: nothing */
	const char *endpoint;    /* the listener; NULL: none */
	bool warns;              /* nothing is wrong with the service: not counted */
};

void report_error(struct report_subject *subject, const struct report_failure *failure);

/* A line of a program's standard error; dropped lines before it are told. text NULL: none came
   after them, and they are told alone. */
void report_stderr(
	struct report_subject *subject, const char *text, size_t length, uint64_t dropped);

/* The service stops watching its listeners, or watches them again: "throttled", ... */
void report_state(struct report_subject *subject, const char *state, int64_t for_ms);

/* An endpoint that could not be opened is open now. */
void report_open(struct report_subject *subject, const char *endpoint);

/* What superd says of itself when it is ready. */
struct report_facts {
	size_t services;
	size_t listeners; /* open ones */
	const char *loop;
	const char *spawn;
};

void report_start(struct report *report, const struct report_facts *facts);

/* What a superd says of itself that has taken over. */
struct report_takeover {
	int64_t pause_ms; /* how long nobody was served */
	size_t services;
	size_t listeners; /* open ones */
	size_t programs;
};

void report_upgrade(struct report *report, const struct report_takeover *takeover);

/* Tells what waits for its second, now. */
void report_flush(struct report *report);

/* From now on every line is of that level or above, whatever the configuration says; -1: as it
   says, and level is that of superd's own lines. */
void report_set_level(struct report *report, int forced_level, enum log_level level);

/* The level that every line is held against; -1: none. */
int report_forced_level(const struct report *report);

/* A control client had something done: verb and argument (NULL: none) are its words. */
void report_control(
	struct report *report, const struct ucred *peer, const char *verb, const char *argument);

/* A control client was turned away. */
void report_denied(struct report *report, const struct ucred *peer);

/* One service at a glance, for SIGUSR1. */
struct report_glance {
	const char *state;
	size_t listeners; /* open ones */
	size_t sockets;   /* that it is to have */
	unsigned running;
	unsigned instances;
};

void report_status(struct report_subject *subject, const struct report_glance *glance);

/* superd's other own lines: "stop", "signal", "ready", ...; text may be NULL. */
void report_daemon(struct report *report, enum log_level level, const char *event, const char *key,
	const char *text);

/* The same with a number. */
void report_daemon_count(struct report *report, enum log_level level, const char *event,
	const char *key, int64_t count);

/* superd's own lines go to sink (NULL: where they went), from level on, unless one is forced. */
void report_set_log(struct report *report, struct log_sink *sink, enum log_level level);

/* A step of superd's own that failed (LEVEL_ERROR: event=error) or went through with a remark
   (event=warning). */
void report_problem(
	struct report *report, enum log_level level, const char *step, const char *text);

/* The same of one that stands for count of them. */
void report_problem_count(struct report *report, enum log_level level, const char *step,
	const char *text, uint64_t count);

/* What a reload has done. */
struct report_reload_facts {
	uint64_t generation;
	size_t added;
	size_t changed;
	size_t removed;
	size_t kept;
	int64_t ms;
	uint64_t count; /* of reloads since the last such line */
};

void report_reload(struct report *report, const struct report_reload_facts *facts);

#endif
