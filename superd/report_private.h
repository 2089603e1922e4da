/*
 * report_private: what the parts of report share among themselves, and nobody else.
 */
#ifndef SUPERD_REPORT_PRIVATE_H
#define SUPERD_REPORT_PRIVATE_H

#include "superd/report.h"

struct summary;

struct report {
	struct loop *loop;
	struct log_sink *sink;
	enum log_level level;   /* of superd's own lines */
	int forced_level;       /* of every line; -1: each service's own */
	struct loop_timer tick; /* runs while a summary is pending */
	struct summary *pending;
	long rss_kb; /* superd's own peak: a child's starts from it */
	int64_t rss_ns;
};

struct report_subject {
	struct report *report;
	const struct conf_service *conf;
	struct log_sink *sink;
	struct report_counts counts;
	struct summary *summaries; /* made when first needed */
};

/* Whether the service's lines of that level are wanted. */
bool report_subject_wants(const struct report_subject *subject, enum log_level level);

#endif
