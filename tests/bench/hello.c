/*
 * hello: the least a program can do for its client: a line, and out.  What the servers that are
 * measured start, so that the figures are theirs and not the program's.
 */
#include "config.h"

#include <unistd.h>

int main(void)
{
	static const char line[] = "hello\n";

	return write(STDOUT_FILENO, line, sizeof(line) - 1) != sizeof(line) - 1;
}
