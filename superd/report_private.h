/*
 * report_private: the reporter itself, for the parts of report.
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

#endif
