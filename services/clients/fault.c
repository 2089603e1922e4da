/*
 * fault: why a client failed, carried up to main, which alone prints it.
 */
#include "config.h"
#include "services/clients/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int fault_set(struct fault *fault, int code, const char *format, ...)
{
	va_list arguments;
	size_t used;

	va_start(arguments, format);
	vsnprintf(fault->text, sizeof(fault->text), format, arguments);
	va_end(arguments);
	if (code != 0) {
		used = strlen(fault->text);
		snprintf(fault->text + used, sizeof(fault->text) - used, ": %s", strerror(code));
	}
	return -1;
}
