/*
 * step: the steps on the way to a running program, and the record of the one that failed.
 */
#ifndef SUPERD_STEP_H
#define SUPERD_STEP_H

#include <stdint.h>

enum step {
	STEP_OK, /* the program was started */
	STEP_CLOSE_RANGE,
	STEP_DUP,
	STEP_SETSID,
	STEP_LIMIT,
	STEP_NICE,
	STEP_ROOT,
	STEP_GROUPS,
	STEP_GROUP,
	STEP_USER,
	STEP_CAPABILITIES,
	STEP_NO_NEW_PRIVILEGES,
	STEP_DIRECTORY,
	STEP_SIGNALS,
	STEP_EXEC,
};

/* "exec", "chroot", ...: the name of the step in the log. */
const char *step_name(enum step step);

/* Written by the child into memory that it shares with superd, read at the reap. */
struct step_failure {
	int32_t step;     /* enum step */
	int32_t code;     /* errno */
	int64_t ready_ns; /* of a child with memory of its own, whose exec superd does not see: when
			     it was about to (monotonic); otherwise 0 */
};

#endif
