/*
 * note: lines for people on standard error.
 */
#include "config.h"

#include "services/lib/note.h"
#include "services/lib/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static void line_begin(struct text *text, char line[NOTE_SIZE])
{
	/* The last byte stays free for the newline. */
	text_begin(text, line, NOTE_SIZE - 1);
	text_add(text, program_invocation_short_name);
	text_add(text, ": ");
}

static void line_write(struct text *text)
{
	text->data[text->used] = '\n';
	if (write(STDERR_FILENO, text->data, text->used + 1) < 0)
		return; /* there is nobody left to tell */
}

void note(const char *part, ...)
{
	int saved = errno;
	char line[NOTE_SIZE];
	struct text text;
	va_list parts;

	line_begin(&text, line);
	va_start(parts, part);
	for (; part != NULL; part = va_arg(parts, const char *))
		text_add(&text, part);
	va_end(parts);
	line_write(&text);
	errno = saved;
}

void note_errno(const char *what)
{
	note(what, ": ", strerror(errno), NOTE_END);
}
