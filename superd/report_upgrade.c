/*
 * report_upgrade: the lines of an upgrade in place.
 */
#include "config.h"
#include "superd/report.h"

#include "superd/report_private.h"

#include <unistd.h>

int report_forced_level(const struct report *report)
{
	return report->forced_level;
}

void report_upgrade(struct report *report, const struct report_takeover *takeover)
{
	struct log_record record;

	log_begin(&record, LEVEL_NOTICE <= report->level ? report->sink : NULL, LEVEL_NOTICE,
		"upgrade");
	log_string(&record, "version", PACKAGE_VERSION);
	log_int(&record, "pid", getpid());
	log_int(&record, "ms", takeover->pause_ms);
	log_int(&record, "services", (int64_t)takeover->services);
	log_int(&record, "listeners", (int64_t)takeover->listeners);
	log_int(&record, "programs", (int64_t)takeover->programs);
	log_end(&record);
}
