/*
 * coverage: linked into every program of a build with --enable-coverage, and into no other.
 *
 * gcov writes a program's counters at exit() and before execv(). What ends otherwise would leave
 * none: a forked child by _exit() (the configuration's loader), an upgrade by fexecve(), a service
 * by a signal that it leaves at its default. The linker's --wrap brings the first two here.
 */
#include "config.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#define COVERAGE_PATIENCE_S 10

void __gcov_dump(void);
void __gcov_reset(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
int __real_fexecve(int fd, char *const argv[], char *const envp[]);
int __wrap_fexecve(int fd, char *const argv[], char *const envp[]);

static const int coverage_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM, SIGPIPE};

/* Where a test lets this process's calls fail (fault.c), those for the counters are spared. */
static void coverage_spare(bool spared)
{
	void (*fault_spare)(bool) = (void (*)(bool))dlsym(RTLD_DEFAULT, "fault_spare");

	if (fault_spare != NULL)
		fault_spare(spared);
}

static void coverage_dump(void)
{
	coverage_spare(true);
	__gcov_dump();
	coverage_spare(false);
}

/* From here on standard error, which may be a client's connection, is not for gcov's complaints. */
static void coverage_hush(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		dup2(fd, STDERR_FILENO);
}

_Noreturn void __wrap__exit(int status)
{
	coverage_hush();
	coverage_dump();
	__real__exit(status);
}

int __wrap_fexecve(int fd, char *const argv[], char *const envp[])
{
	int result;

	coverage_dump();
	result = __real_fexecve(fd, argv, envp);
	__gcov_reset();
	return result;
}

/* The signal may have come in the midst of malloc(), which the dump needs: the alarm ends that. */
static void coverage_die(int number)
{
	signal(SIGALRM, SIG_DFL);
	alarm(COVERAGE_PATIENCE_S);
	coverage_hush();
	coverage_dump();
	alarm(0);
	signal(number, SIG_DFL);
	raise(number);
}

__attribute__((constructor)) static void coverage_begin(void)
{
	struct sigaction action = {.sa_handler = coverage_die,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_RESTART)};
	struct sigaction before;

	for (size_t i = 0; i < sizeof(coverage_signals) / sizeof(coverage_signals[0]); i++) {
		if (sigaction(coverage_signals[i], NULL, &before) == 0 &&
			before.sa_handler == SIG_DFL)
			sigaction(coverage_signals[i], &action, NULL);
	}
}

/* Runs before gcov's own, which must not be begun twice. */
__attribute__((destructor)) static void coverage_end(void)
{
	sigset_t all;

	coverage_spare(true);
	coverage_hush();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}
