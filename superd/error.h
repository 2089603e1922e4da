/*
 * error: what went wrong, carried up to the first function that knows whom it concerns.
 *
 * Functions below main return -1 and fill a struct error; nobody logs an error twice.
 */
#ifndef SUPERD_ERROR_H
#define SUPERD_ERROR_H

struct error {
	int code;       /* errno value, 0 where none applies */
	char text[512]; /* for people; ends without a full stop or newline */
};

/*
 * Fills *error and returns -1, so that a caller may "return error_set(...)".  code is an errno
 * value (0: none); where it is not 0, ": " and its text are appended.  error may be NULL.
 */
int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
