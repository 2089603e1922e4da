/*
 * listen: the sockets that a wait-mode program was given.
 */
#include "config.h"

#include "services/lib/listen.h"
#include "services/lib/text.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTEN_FDS_START 3

/* The value of a variable as a number of 1..max; 0 where it is none. */
static uint64_t variable_number(const char *name, uint64_t max)
{
	const char *value = getenv(name);
	uint64_t number;

	if (value == NULL || text_parse_unsigned(value, 1, max, &number) != 0)
		return 0;
	return number;
}

size_t listen_fds(int *first)
{
	uint64_t count = variable_number("LISTEN_FDS", INT_MAX - LISTEN_FDS_START);

	if (count == 0 || variable_number("LISTEN_PID", INT_MAX) != (uint64_t)getpid()) {
		*first = STDIN_FILENO;
		return 1;
	}
	*first = LISTEN_FDS_START;
	return (size_t)count;
}
