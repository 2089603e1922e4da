/*
 * note: lines for people on standard error, which is a service's log.
 *
 * A line is composed first and written with one write(2), so that lines of several processes
 * never mix.  Nobody is told when it cannot be written: a service outlives its log.
 */
#ifndef SERVICES_LIB_NOTE_H
#define SERVICES_LIB_NOTE_H

#include <stddef.h>

/* Longest line, with its newline; the rest is cut. */
#define NOTE_SIZE 1024

/* Ends the parts of note(): NULL alone need not be a pointer where the type is not known. */
#define NOTE_END ((const char *)NULL)

/*
 * Writes "PROGRAM: " and the parts one after the other, ended by NOTE_END:
 * note("cannot open ", path, NOTE_END).  errno is unchanged.
 */
void note(const char *part, ...) __attribute__((sentinel));

/* Writes "PROGRAM: WHAT: " and the text of errno, which is unchanged. */
void note_errno(const char *what);

#endif
