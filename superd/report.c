/*
 * report: lines as interface.md gives them; they are an interface, tests match them.
 */
#include "config.h"
#include "superd/report.h"

#include "superd/clock.h"
#include "superd/format.h"
#include "superd/report_private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUMMARY_NS CLOCK_NS_PER_S

enum { REASON_ERROR = REPORT_REASONS, REASON_WARNING };

/* What repeats, by service and reason: at most one line a second. */
struct summary {
	struct summary *next;         /* of the same subject */
	struct summary *next_pending; /* of the reporter's list */
	struct report_subject *subject;
	unsigned reason;  /* refusals: the reason's number; else REASON_ERROR, REASON_WARNING */
	const char *name; /* the reason's or the step's text; a constant */
	int64_t told_ns;  /* when the last line was written */
	uint64_t count;   /* since then */
	bool pending;
	/* the last one of them */
	struct peer peer;
	pid_t pid;
	int code;
	const char *path;     /* the configuration's, */
	const char *endpoint; /* the configuration's, */
	char *kept[2];        /* or copies, owned, where that one may go before they are told */
	char text[96];
};

static void report_tick(struct loop_timer *timer);

int report_new(struct loop *loop, struct log_sink *sink, enum log_level level, int forced_level,
	struct report **report, struct error *error)
{
	struct report *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return error_set(error, ENOMEM, "reporter");
	made->loop = loop;
	made->sink = sink;
	made->level = forced_level >= 0 ? (enum log_level)forced_level : level;
	made->forced_level = forced_level;
	made->tick.fire_cb = report_tick;
	*report = made;
	return 0;
}

void report_free(struct report *report)
{
	if (report == NULL)
		return;
	loop_timer_stop(report->loop, &report->tick);
	log_sink_close(report->sink);
	free(report);
}

struct report_subject *report_subject_new(
	struct report *report, const struct conf_service *conf, struct log_sink *sink)
{
	struct report_subject *subject = calloc(1, sizeof(*subject));

	if (subject == NULL)
		return NULL;
	subject->report = report;
	subject->conf = conf;
	subject->sink = sink;
	return subject;
}

/* What it still has to tell of must not point into the old configuration. Without memory for a
   copy the line is told without it. */
static void summary_keep(struct summary *summary)
{
	if (summary->path != NULL && summary->kept[0] == NULL)
		summary->kept[0] = strdup(summary->path);
	if (summary->endpoint != NULL && summary->kept[1] == NULL)
		summary->kept[1] = strdup(summary->endpoint);
	summary->path = summary->kept[0];
	summary->endpoint = summary->kept[1];
}

void report_subject_set(
	struct report_subject *subject, const struct conf_service *conf, struct log_sink *sink)
{
	for (struct summary *at = subject->summaries; at != NULL; at = at->next)
		summary_keep(at);
	subject->conf = conf;
	if (sink != NULL) {
		log_sink_close(subject->sink);
		subject->sink = sink;
	}
}

const struct report_counts *report_subject_counts(const struct report_subject *subject)
{
	return &subject->counts;
}

void report_subject_restore(struct report_subject *subject, const struct report_counts *counts)
{
	subject->counts = *counts;
}

bool report_subject_wants(const struct report_subject *subject, enum log_level level)
{
	int forced = subject->report->forced_level;

	return level <= (forced >= 0 ? (enum log_level)forced : subject->conf->log.level);
}

/* The service's line at level, or one that is discarded: not wanted, or below its level. */
static void subject_begin(const struct report_subject *subject, struct log_record *record,
	enum conf_event event, enum log_level level, const char *name)
{
	bool wanted =
		(subject->conf->log.events & event) != 0 && report_subject_wants(subject, level);

	log_begin(record, wanted ? subject->sink : NULL, level, name);
	log_string(record, "service", subject->conf->name);
}

static void record_peer(struct log_record *record, const char *key, const struct peer *peer)
{
	char text[ADDR_TEXT_SIZE];

	if (peer != NULL && peer->family != AF_UNSPEC)
		log_string(record, key, peer_format(peer, text));
}

static void record_session(struct log_record *record, const struct report_session *session)
{
	log_hex(record, "id", session->id);
	record_peer(record, "peer", session->peer);
	if (session->local != NULL && session->local->family != AF_UNSPEC)
		record_peer(record, "local", session->local);
	else if (session->endpoint != NULL)
		log_string(record, "local", session->endpoint);
	log_int(record, "pid", session->pid);
}

void report_accept(
	struct report_subject *subject, const struct report_session *session, unsigned running)
{
	char text[2 * FORMAT_NUMBER_SIZE + 1];
	struct log_record record;
	char *end;

	subject->counts.accepted++;
	subject_begin(subject, &record, EVENT_ACCEPT, LEVEL_INFO, "accept");
	if (record.sink == NULL)
		return;
	record_session(&record, session);
	end = format_string(format_uint(text, running), "/");
	end = format_uint(end, subject->conf->limits.instances);
	log_bytes(&record, "running", text, (size_t)(end - text));
	log_end(&record);
}

/* "SIGKILL" without its SIG, or the number. */
static void record_signal(struct log_record *record, int signal)
{
	const char *name = sigabbrev_np(signal);

	if (name != NULL)
		log_string(record, "signal", name);
	else
		log_int(record, "signal", signal);
}

/* superd's own peak in KiB; a program's figure is worth telling only above it. */
static long report_own_rss_kb(struct report *report)
{
	int64_t now_ns = loop_now_ns(report->loop);
	struct rusage usage;

	if (report->rss_kb == 0 || now_ns - report->rss_ns > CLOCK_NS_PER_S) {
		getrusage(RUSAGE_SELF, &usage);
		report->rss_kb = usage.ru_maxrss;
		report->rss_ns = now_ns;
	}
	return report->rss_kb;
}

static int64_t timeval_ms(const struct timeval *time)
{
	return (int64_t)time->tv_sec * 1000 + time->tv_usec / 1000;
}

void report_exit(struct report_subject *subject, const struct report_session *session, int status,
	const struct rusage *usage, int64_t elapsed_ns)
{
	struct log_record record;

	histogram_add(&subject->counts.life, histogram_bounds_life(), elapsed_ns);
	if (WIFSIGNALED(status))
		subject->counts.exited_signal++;
	else if (WEXITSTATUS(status) != 0)
		subject->counts.exited_nonzero++;
	else
		subject->counts.exited_ok++;
	subject_begin(subject, &record, EVENT_EXIT, LEVEL_INFO, "exit");
	if (record.sink == NULL)
		return;
	log_hex(&record, "id", session->id);
	record_peer(&record, "peer", session->peer);
	log_int(&record, "pid", session->pid);
	if (WIFSIGNALED(status))
		record_signal(&record, WTERMSIG(status));
	else
		log_int(&record, "status", WEXITSTATUS(status));
	log_int(&record, "ms", elapsed_ns / CLOCK_NS_PER_MS);
	log_int(&record, "cpu_ms", timeval_ms(&usage->ru_utime) + timeval_ms(&usage->ru_stime));
	if (usage->ru_maxrss > report_own_rss_kb(subject->report))
		log_int(&record, "rss_kb", usage->ru_maxrss);
	log_end(&record);
}

void report_started(struct report_subject *subject, int64_t took_ns)
{
	histogram_add(&subject->counts.start, histogram_bounds_start(), took_ns);
}

void report_deadline(
	struct report_subject *subject, const struct report_session *session, const char *limit)
{
	struct log_record record;

	subject_begin(subject, &record, EVENT_EXIT, LEVEL_NOTICE, "deadline");
	log_hex(&record, "id", session->id);
	record_peer(&record, "peer", session->peer);
	log_int(&record, "pid", session->pid);
	log_string(&record, "limit", limit);
	log_end(&record);
}

static void summary_write_refusal(struct summary *summary)
{
	struct log_record record;

	subject_begin(summary->subject, &record, EVENT_REFUSE, LEVEL_NOTICE, "refuse");
	record_peer(&record, "peer", &summary->peer);
	log_string(&record, "reason", summary->name);
	log_int(&record, "count", (int64_t)summary->count);
	log_end(&record);
}

static void summary_write_error(struct summary *summary)
{
	bool warns = summary->reason == REASON_WARNING;
	const char *event = warns ? "warning" : "error";
	struct log_record record;

	subject_begin(
		summary->subject, &record, EVENT_ERROR, warns ? LEVEL_WARNING : LEVEL_ERROR, event);
	record_peer(&record, "peer", &summary->peer);
	if (summary->pid > 0)
		log_int(&record, "pid", summary->pid);
	log_string(&record, "step", summary->name);
	log_string(
		&record, event, summary->text[0] != '\0' ? summary->text : strerror(summary->code));
	if (summary->path != NULL)
		log_string(&record, "path", summary->path);
	if (summary->endpoint != NULL)
		log_string(&record, "endpoint", summary->endpoint);
	if (summary->count > 1)
		log_int(&record, "count", (int64_t)summary->count);
	log_end(&record);
}

/* Forgets what the last event was about. */
static void summary_clear(struct summary *summary)
{
	summary->path = NULL;
	summary->endpoint = NULL;
	for (size_t i = 0; i < 2; i++) {
		free(summary->kept[i]);
		summary->kept[i] = NULL;
	}
}

static void summary_write(struct summary *summary, int64_t now_ns)
{
	if (summary->count == 0)
		return;
	if (summary->reason < REPORT_REASONS)
		summary_write_refusal(summary);
	else
		summary_write_error(summary);
	summary_clear(summary);
	summary->count = 0;
	summary->told_ns = now_ns;
}

/* Tells what has waited for its second; what has not stays pending. */
static void report_tick(struct loop_timer *timer)
{
	struct report *report =
		(struct report *)(void *)((char *)timer - offsetof(struct report, tick));
	struct summary **link = &report->pending;
	int64_t now_ns = loop_now_ns(report->loop);
	int64_t next_ns = INT64_MAX;
	struct summary *summary;

	while ((summary = *link) != NULL) {
		int64_t due_ns = summary->told_ns + SUMMARY_NS;

		if (due_ns <= now_ns) {
			*link = summary->next_pending;
			summary->pending = false;
			summary_write(summary, now_ns);
			continue;
		}
		if (due_ns < next_ns)
			next_ns = due_ns;
		link = &summary->next_pending;
	}
	if (report->pending != NULL)
		loop_timer_start(report->loop, &report->tick, next_ns);
}

void report_flush(struct report *report)
{
	struct summary *summary;

	while ((summary = report->pending) != NULL) {
		report->pending = summary->next_pending;
		summary->pending = false;
		summary_write(summary, loop_now_ns(report->loop));
	}
	loop_timer_stop(report->loop, &report->tick);
}

/* The summary of that reason, made when first needed; NULL where memory is out. */
static struct summary *subject_summary(
	struct report_subject *subject, unsigned reason, const char *name)
{
	struct summary *summary = subject->summaries;

	while (summary != NULL && (summary->reason != reason || strcmp(summary->name, name) != 0))
		summary = summary->next;
	if (summary != NULL)
		return summary;
	summary = calloc(1, sizeof(*summary));
	if (summary == NULL)
		return NULL;
	summary->subject = subject;
	summary->reason = reason;
	summary->name = name;
	summary->told_ns = INT64_MIN / 2;
	summary->next = subject->summaries;
	subject->summaries = summary;
	return summary;
}

/* One more of them, its details already in place: told now, or within a second. */
static void summary_add(struct summary *summary)
{
	struct report *report = summary->subject->report;
	int64_t now_ns = loop_now_ns(report->loop);

	summary->count++;
	if (summary->pending)
		return;
	if (now_ns - summary->told_ns >= SUMMARY_NS) {
		summary_write(summary, now_ns);
		return;
	}
	if (report->pending == NULL &&
		loop_timer_start(report->loop, &report->tick, summary->told_ns + SUMMARY_NS) != 0)
		return;
	summary->pending = true;
	summary->next_pending = report->pending;
	report->pending = summary;
}

static void report_forget(struct report *report, const struct summary *summary)
{
	struct summary **link = &report->pending;

	while (*link != NULL && *link != summary)
		link = &(*link)->next_pending;
	if (*link != NULL)
		*link = summary->next_pending;
}

void report_subject_free(struct report_subject *subject)
{
	struct summary *summary;

	if (subject == NULL)
		return;
	while ((summary = subject->summaries) != NULL) {
		subject->summaries = summary->next;
		if (summary->pending)
			report_forget(subject->report, summary);
		summary_write(summary, 0);
		summary_clear(summary);
		free(summary);
	}
	log_sink_close(subject->sink);
	free(subject);
}

void report_refuse(
	struct report_subject *subject, const struct peer *peer, unsigned reason, const char *name)
{
	struct summary *summary;

	subject->counts.refused[reason]++;
	summary = subject_summary(subject, reason, name);
	if (summary == NULL)
		return;
	summary->peer = *peer;
	summary_add(summary);
}

void report_error(struct report_subject *subject, const struct report_failure *failure)
{
	struct summary *summary;

	if (!failure->warns)
		subject->counts.failed++;
	summary = subject_summary(
		subject, failure->warns ? REASON_WARNING : REASON_ERROR, failure->step);
	if (summary == NULL)
		return;
	summary->peer = failure->peer != NULL ? *failure->peer : (struct peer){0};
	summary->pid = failure->pid;
	summary->code = failure->code;
	summary_clear(summary);
	summary->path = failure->path;
	summary->endpoint = failure->endpoint;
	summary->text[0] = '\0';
	if (failure->text != NULL) {
		strncpy(summary->text, failure->text, sizeof(summary->text) - 1);
		summary->text[sizeof(summary->text) - 1] = '\0';
	}
	summary_add(summary);
}

void report_stderr(
	struct report_subject *subject, const char *text, size_t length, uint64_t dropped)
{
	struct log_record record;

	log_begin(&record, report_subject_wants(subject, LEVEL_INFO) ? subject->sink : NULL,
		LEVEL_INFO, "stderr");
	log_string(&record, "service", subject->conf->name);
	if (text != NULL)
		log_bytes(&record, "text", text, length);
	if (dropped > 0)
		log_int(&record, "dropped", (int64_t)dropped);
	log_end(&record);
}

void report_state(struct report_subject *subject, const char *state, int64_t for_ms)
{
	struct log_record record;

	subject_begin(subject, &record, EVENT_ERROR, LEVEL_WARNING, "state");
	log_string(&record, "state", state);
	if (for_ms > 0)
		log_int(&record, "ms", for_ms);
	log_end(&record);
}

void report_open(struct report_subject *subject, const char *endpoint)
{
	struct log_record record;

	subject_begin(subject, &record, EVENT_ERROR, LEVEL_NOTICE, "listen");
	log_string(&record, "endpoint", endpoint);
	log_end(&record);
}
