/*
 * fault: why a client failed, carried up to main, which alone prints it.
 */
#ifndef SERVICES_CLIENTS_FAULT_H
#define SERVICES_CLIENTS_FAULT_H

struct fault {
	char text[512]; /* for people; ends without a full stop or newline */
};

/*
 * Fills *fault from format and returns -1, so that a caller may "return fault_set(...)".  code is
 * an errno value, whose text is appended after ": ", or 0 for none.
 */
int fault_set(struct fault *fault, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
