/*
 * diff: what a reload would do, asked of the superd that runs (superd --diff).
 */
#ifndef SUPERD_DIFF_H
#define SUPERD_DIFF_H

#include "superd/conf.h"
#include "superd/error.h"

#include <stdio.h>

/*
 * Asks the superd at the control socket that conf names what a reload with the file path
 * (absolute) would do, and prints its plan to out, one service a line. Problems that it has with
 * the file go to problems. Returns 0; or -1 with *error where there is no plan.
 */
int diff_print(
	const struct conf *conf, const char *path, FILE *out, FILE *problems, struct error *error);

#endif
