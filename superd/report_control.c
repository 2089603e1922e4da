/*
 * report_control: what administrators do and ask for.
 */
#include "config.h"
#include "superd/report_private.h"

#include "superd/log.h"

static void control_begin(
	const struct report *report, struct log_record *record, const struct ucred *peer)
{
	log_begin(record, LEVEL_NOTICE <= report->level ? report->sink : NULL, LEVEL_NOTICE,
		"control");
	log_int(record, "uid", peer->uid);
	log_int(record, "pid", peer->pid);
}

void report_control(
	struct report *report, const struct ucred *peer, const char *verb, const char *argument)
{
	struct log_record record;

	control_begin(report, &record, peer);
	log_string(&record, "verb", verb);
	if (argument != NULL)
		log_string(&record, "argument", argument);
	log_end(&record);
}

void report_denied(struct report *report, const struct ucred *peer)
{
	struct log_record record;

	control_begin(report, &record, peer);
	log_string(&record, "error", "permission denied");
	log_end(&record);
}

void report_set_level(struct report *report, int forced_level, enum log_level level)
{
	report->forced_level = forced_level;
	report->level = forced_level >= 0 ? (enum log_level)forced_level : level;
}

void report_status(struct report_subject *subject, const struct report_glance *glance)
{
	const struct report_counts *counts = &subject->counts;
	struct log_record record;
	uint64_t refused = 0;

	for (size_t i = 0; i < REPORT_REASONS; i++)
		refused += counts->refused[i];
	log_begin(&record, report_subject_wants(subject, LEVEL_NOTICE) ? subject->sink : NULL,
		LEVEL_NOTICE, "status");
	log_string(&record, "service", subject->conf->name);
	log_string(&record, "state", glance->state);
	log_format(&record, "listeners", "%zu/%zu", glance->listeners, glance->sockets);
	log_format(&record, "running", "%u/%u", glance->running, glance->instances);
	log_int(&record, "accepted", (int64_t)counts->accepted);
	log_int(&record, "refused", (int64_t)refused);
	log_int(&record, "failed", (int64_t)counts->failed);
	log_int(&record, "ok", (int64_t)counts->exited_ok);
	log_int(&record, "nonzero", (int64_t)counts->exited_nonzero);
	log_int(&record, "signal", (int64_t)counts->exited_signal);
	log_end(&record);
}
