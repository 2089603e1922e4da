/*
 * error: one text and one errno value, composed where the failure is seen.
 */
#include "config.h"
#include "superd/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list args;
	size_t used;

	if (error == NULL)
		return -1;
	error->code = code;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	if (code == 0)
		return -1;
	used = strlen(error->text);
	snprintf(error->text + used, sizeof(error->text) - used, ": %s", strerror(code));
	return -1;
}
