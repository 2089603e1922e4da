/*
 * superctl_top: services and programs, again and again in place.
 */
#ifndef SUPERD_SUPERCTL_TOP_H
#define SUPERD_SUPERCTL_TOP_H

#include "superd/error.h"

struct top {
	const char *socket;
	double interval_s;
	long frames; /* 0: until the user has seen enough */
};

/* Returns 0 where the user ended it or all frames are shown, or -1 with *error. */
int top_run(const struct top *top, struct error *error);

#endif
