/*
 * admit: limits that cost the surplus connection, never the service.
 */
#include "config.h"
#include "superd/admit.h"

const char *admit_verdict_name(enum admit_verdict verdict)
{
	static const char *const names[ADMIT_VERDICTS] = {"accept", "full", "global-full"};

	return names[verdict];
}

enum admit_verdict admit_check(const struct conf_service *conf, const struct admit_facts *facts)
{
	if (facts->running >= conf->limits.instances)
		return ADMIT_FULL;
	if (facts->running_all >= facts->max_all)
		return ADMIT_GLOBAL_FULL;
	return ADMIT_ACCEPT;
}
