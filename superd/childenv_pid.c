/*
 * childenv_pid: the one string that is made after the clone, by the child itself: no libc.
 */
#include "config.h"
#include "superd/childenv.h"

void childenv_set_pid(const struct childenv *env, pid_t pid)
{
	char digits[CHILDENV_PID_SIZE];
	size_t used = 0;
	char *out = env->pid;

	if (out == NULL)
		return;
	do {
		digits[used++] = (char)('0' + pid % 10);
		pid /= 10;
	} while (pid > 0);
	while (used > 0)
		*out++ = digits[--used];
	*out = '\0';
}
