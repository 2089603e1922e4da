/*
 * hold: says a line and stays until its client goes: what stands behind connections that are held.
 */
#include "config.h"

#include <errno.h>
#include <unistd.h>

int main(void)
{
	static const char line[] = "hello\n";
	char buffer[512];
	ssize_t got;

	if (write(STDOUT_FILENO, line, sizeof(line) - 1) != sizeof(line) - 1)
		return 1;
	do
		got = read(STDIN_FILENO, buffer, sizeof(buffer));
	while (got > 0 || (got < 0 && errno == EINTR));
	return got < 0 && errno != ECONNRESET;
}
