/*
 * process: signals, umask, detaching, readiness.
 */
#include "config.h"
#include "superd/process.h"

#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define SIGNAL_SET_BYTES 8 /* of the kernel's sigset_t */

/*
 * The kernel's struct sigaction, as far as a disposition goes; rt_sigaction(2) by itself also
 * reaches the two signals that the C library keeps to itself, which make(1) leaves ignored.
 */
struct process_action {
	uintptr_t handler;
	unsigned long others[8];
};

/* Sets signal to default where it is ignored; handlers are not inherited: a sanitizer's stays. */
static void process_unignore(int signal)
{
	struct process_action action = {0};

	if (syscall(SYS_rt_sigaction, signal, NULL, &action, SIGNAL_SET_BYTES) != 0 ||
		action.handler != (uintptr_t)SIG_IGN)
		return;
	action = (struct process_action){0};
	syscall(SYS_rt_sigaction, signal, &action, NULL, SIGNAL_SET_BYTES);
}

void process_reset(void)
{
	struct sigaction action = {.sa_handler = SIG_IGN};
	sigset_t all;

	for (int signal = 1; signal < NSIG; signal++)
		process_unignore(signal);
	sigaction(SIGPIPE, &action, NULL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	umask(022);
	if (geteuid() == 0 && setgroups(0, NULL) != 0) {
		/* not allowed here: each program drops them for itself, or is not run */
	}
}

/* The process that the shell waits for: ends with the daemon's verdict on its own start. */
static _Noreturn void process_await_report(int fd)
{
	unsigned char status;
	ssize_t got;

	do
		got = read(fd, &status, 1);
	while (got < 0 && errno == EINTR);
	_exit(got == 1 ? status : EX_OSERR);
}

int process_detach(struct error *error)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set(error, errno, "pipe");
	pid = fork();
	if (pid < 0) {
		error_set(error, errno, "fork");
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	if (pid > 0) {
		close(ends[1]);
		process_await_report(ends[0]);
	}
	close(ends[0]);
	setsid();
	return descriptor_raise(ends[1]);
}

void process_report(int fd, int status)
{
	unsigned char byte = (unsigned char)status;
	int null_fd;

	if (fd < 0)
		return;
	if (status == 0) {
		null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int standard = 0; null_fd >= 0 && standard <= STDERR_FILENO; standard++)
			dup2(null_fd, standard);
		if (null_fd >= 0)
			close(null_fd);
	}
	if (write(fd, &byte, 1) != 1) {
		/* whoever waited is gone: nobody to tell */
	}
	close(fd);
}

void process_ready(int fd)
{
	static const char text[] = "ready\n";

	if (fd < 0)
		return;
	if (write(fd, text, sizeof(text) - 1) < 0) {
		/* whoever waited is gone: nobody to tell */
	}
	close(fd);
}
