/*
 * step: names of the steps.
 */
#include "config.h"
#include "superd/step.h"

const char *step_name(enum step step)
{
	static const char *const names[] = {"none", "close-range", "dup", "setsid", "limit", "nice",
		"chroot", "groups", "group", "user", "capabilities", "no-new-privileges",
		"directory", "signals", "exec"};

	return names[step];
}
