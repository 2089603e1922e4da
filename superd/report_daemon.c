/*
 * report_daemon: superd's lines about itself.
 */
#include "config.h"
#include "superd/report.h"

#include "superd/report_private.h"

#include <unistd.h>

static void daemon_begin(const struct report *report, struct log_record *record,
	enum log_level level, const char *event)
{
	log_begin(record, level <= report->level ? report->sink : NULL, level, event);
}

void report_daemon(struct report *report, enum log_level level, const char *event, const char *key,
	const char *text)
{
	struct log_record record;

	daemon_begin(report, &record, level, event);
	if (key != NULL && text != NULL)
		log_string(&record, key, text);
	log_end(&record);
}

void report_daemon_count(struct report *report, enum log_level level, const char *event,
	const char *key, int64_t count)
{
	struct log_record record;

	daemon_begin(report, &record, level, event);
	log_int(&record, key, count);
	log_end(&record);
}

void report_start(struct report *report, const struct report_facts *facts)
{
	struct log_record record;

	daemon_begin(report, &record, LEVEL_NOTICE, "start");
	log_string(&record, "version", PACKAGE_VERSION);
	log_int(&record, "pid", getpid());
	log_int(&record, "services", (int64_t)facts->services);
	log_int(&record, "listeners", (int64_t)facts->listeners);
	log_string(&record, "loop", facts->loop);
	log_string(&record, "spawn", facts->spawn);
	log_end(&record);
}

void report_set_log(struct report *report, struct log_sink *sink, enum log_level level)
{
	if (sink != NULL) {
		log_sink_close(report->sink);
		report->sink = sink;
	}
	report->level = report->forced_level >= 0 ? (enum log_level)report->forced_level : level;
}

void report_problem(struct report *report, enum log_level level, const char *step, const char *text)
{
	report_problem_count(report, level, step, text, 1);
}

void report_problem_count(struct report *report, enum log_level level, const char *step,
	const char *text, uint64_t count)
{
	const char *event = level == LEVEL_ERROR ? "error" : "warning";
	struct log_record record;

	daemon_begin(report, &record, level, event);
	log_string(&record, "step", step);
	log_string(&record, event, text);
	if (count > 1)
		log_int(&record, "count", (int64_t)count);
	log_end(&record);
}

void report_reload(struct report *report, const struct report_reload_facts *facts)
{
	struct log_record record;

	daemon_begin(report, &record, LEVEL_NOTICE, "reload");
	log_int(&record, "generation", (int64_t)facts->generation);
	log_int(&record, "added", (int64_t)facts->added);
	log_int(&record, "changed", (int64_t)facts->changed);
	log_int(&record, "removed", (int64_t)facts->removed);
	log_int(&record, "kept", (int64_t)facts->kept);
	log_int(&record, "ms", facts->ms);
	if (facts->count > 1)
		log_int(&record, "count", (int64_t)facts->count);
	log_end(&record);
}
