/*
 * output: standard output is checked once, when everything has been printed.
 */
#include "config.h"
#include "superd/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int output_finish(const char *program)
{
	errno = 0;
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return 0;
	/* No errno: it was a write before that failed, and what it left has been lost. */
	fprintf(stderr, "%s: standard output: %s\n", program,
		errno != 0 ? strerror(errno) : "write error");
	return -1;
}
