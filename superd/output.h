/*
 * output: the end of what a command prints, which has failed where not all of it could be written.
 */
#ifndef SUPERD_OUTPUT_H
#define SUPERD_OUTPUT_H

/* Writes out what stdout holds. Returns 0, or -1 where that or a write before failed, after saying
   so on standard error in the name of program. */
int output_finish(const char *program);

#endif
