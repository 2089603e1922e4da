/*
 * note_format: note() by printf, in a file of its own so that only those who use it link stdio.
 */
#include "config.h"

#include "services/lib/note.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void note_format(const char *format, ...)
{
	int saved = errno;
	char line[NOTE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(line, sizeof(line), format, arguments) >= 0)
		note(line, NOTE_END);
	va_end(arguments);
	errno = saved;
}
