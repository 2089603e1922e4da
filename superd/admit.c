/*
 * admit: limits that cost the surplus connection, never the service.
 */
#include "config.h"
#include "superd/admit.h"

#include "superd/acl.h"
#include "superd/hours.h"

const char *admit_verdict_name(enum admit_verdict verdict)
{
	static const char *const names[ADMIT_VERDICTS] = {"accept", "acl", "hours", "load", "full",
		"global-full", "per-source", "per-source-rate", "rate"};

	return names[verdict];
}

static enum admit_verdict admit_check_source(const struct admit_facts *facts)
{
	switch (limit_check(facts->sources, facts->peer, facts->now_ns)) {
	case LIMIT_PER_SOURCE:
		return ADMIT_PER_SOURCE;
	case LIMIT_PER_SOURCE_RATE:
		return ADMIT_PER_SOURCE_RATE;
	case LIMIT_RATE:
		return ADMIT_RATE;
	default:
		return ADMIT_ACCEPT;
	}
}

enum admit_verdict admit_check(const struct conf_service *conf, const struct admit_facts *facts)
{
	const struct conf_limits *limits = &conf->limits;

	if (!acl_check(conf->acl, facts->peer, facts->groups, facts->group_count, NULL))
		return ADMIT_ACL;
	if (conf->hours != NULL && !hours_open_at(conf->hours, facts->wall))
		return ADMIT_HOURS;
	if (limits->load_permille > 0 && facts->load_permille > limits->load_permille)
		return ADMIT_LOAD;
	if (facts->running >= limits->instances)
		return ADMIT_FULL;
	if (facts->running_all >= facts->max_all)
		return ADMIT_GLOBAL_FULL;
	return admit_check_source(facts);
}
