/*
 * trouble: what went wrong on this machine, carried up to the dialogue, which logs it and answers
 * the client with no more than a code.
 */
#ifndef SERVICES_MAIL_TROUBLE_H
#define SERVICES_MAIL_TROUBLE_H

#include <stdbool.h>

struct trouble {
	int code;       /* an errno value, or 0 where the text says it all */
	char text[256]; /* what could not be done, with the object's name */
};

/* Fills *trouble from format and returns -1, so that a caller may "return trouble_set(...)". */
int trouble_set(struct trouble *trouble, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether it is the storage that does not take more: the client is told the reason (452). */
bool trouble_is_storage(const struct trouble *trouble);

#endif
