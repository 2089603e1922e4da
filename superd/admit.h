/*
 * admit: the verdict on one peer, from the configuration and the counts. Check, commit and
 * release are apart: a verdict changes nothing.
 */
#ifndef SUPERD_ADMIT_H
#define SUPERD_ADMIT_H

#include "superd/addr.h"
#include "superd/conf.h"
#include "superd/limit.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Shared by log line, counters and banner. */
enum admit_verdict {
	ADMIT_ACCEPT,
	ADMIT_ACL,
	ADMIT_HOURS,
	ADMIT_LOAD,
	ADMIT_FULL,        /* the service's instances */
	ADMIT_GLOBAL_FULL, /* max-instances */
	ADMIT_PER_SOURCE,
	ADMIT_PER_SOURCE_RATE,
	ADMIT_RATE,
	ADMIT_VERDICTS /* how many there are */
};

/* "accept", "acl", "hours", ...: the reason in the log. */
const char *admit_verdict_name(enum admit_verdict verdict);

/* What the verdict depends on besides the configuration. */
struct admit_facts {
	const struct peer *peer;
	const gid_t *groups; /* supplementary ones of a unix peer; NULL: none */
	size_t group_count;
	const struct limit *sources;
	int64_t now_ns;         /* monotonic */
	time_t wall;            /* for hours */
	unsigned load_permille; /* the 1-minute load */
	unsigned running;       /* programs of the service */
	unsigned running_all;   /* programs of all services */
	unsigned max_all;       /* max-instances */
};

/* The verdict on a peer that has been accepted: first who, then when, then how many. */
enum admit_verdict admit_check(const struct conf_service *conf, const struct admit_facts *facts);

#endif
