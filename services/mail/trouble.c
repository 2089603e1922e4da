/*
 * trouble: what went wrong on this machine.
 */
#include "config.h"

#include "services/mail/trouble.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int trouble_set(struct trouble *trouble, int code, const char *format, ...)
{
	va_list arguments;

	trouble->code = code;
	va_start(arguments, format);
	vsnprintf(trouble->text, sizeof(trouble->text), format, arguments);
	va_end(arguments);
	return -1;
}

bool trouble_is_storage(const struct trouble *trouble)
{
	switch (trouble->code) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EROFS:
	case EIO:
		return true;
	default:
		return false;
	}
}
