/*
 * admit: the verdict on one peer. Check, commit and release are apart: a verdict changes
 * nothing.
 */
#ifndef SUPERD_ADMIT_H
#define SUPERD_ADMIT_H

#include "superd/conf.h"

/* Shared by log line, counters and banner. */
enum admit_verdict {
	ADMIT_ACCEPT,
	ADMIT_FULL,        /* the service's instances */
	ADMIT_GLOBAL_FULL, /* max-instances */
	ADMIT_VERDICTS     /* how many there are */
};

/* "accept", "full", "global-full": the reason in the log. */
const char *admit_verdict_name(enum admit_verdict verdict);

/* What the verdict depends on besides the configuration. */
struct admit_facts {
	unsigned running;     /* programs of the service */
	unsigned running_all; /* programs of all services */
	unsigned max_all;     /* max-instances */
};

/* The verdict on a peer that has been accepted. */
enum admit_verdict admit_check(const struct conf_service *conf, const struct admit_facts *facts);

#endif
