/*
 * upgrade_trial: the new program as a child, before anything depends on it.
 */
#include "config.h"
#include "superd/upgrade.h"

#include "superd/clock.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define TRIAL_NS (5 * CLOCK_NS_PER_S)

/* In the child: alone in a session, gone with superd, its output in the pipe. */
static _Noreturn void trial_child(const struct upgrade_trial *trial, char *const *argv,
	int state_fd, int pipe_fd, pid_t parent)
{
	char value[64];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EX_OSERR);
	setsid();
	snprintf(value, sizeof(value), "try %d %d", state_fd, pipe_fd);
	if (dup2(pipe_fd, STDOUT_FILENO) >= 0 && dup2(pipe_fd, STDERR_FILENO) >= 0 &&
		fcntl(pipe_fd, F_SETFD, 0) == 0 && fcntl(state_fd, F_SETFD, 0) == 0 &&
		setenv("SUPERD_UPGRADE", value, 1) == 0)
		execv(trial->exe, argv);
	dprintf(pipe_fd, "%s: %s\n", trial->exe, strerror(errno));
	_exit(EX_OSERR);
}

/* What does not fit is read and forgotten: the program shall not hang on it. */
static void trial_read(struct upgrade_trial *trial)
{
	char surplus[512] = "";
	ssize_t got;

	do {
		size_t room = sizeof(trial->text) - 1 - trial->used;

		got = read(trial->pipe.fd, room > 0 ? trial->text + trial->used : surplus,
			room > 0 ? room : sizeof(surplus));
		if (got > 0 && room > 0)
			trial->used += (size_t)got;
	} while (got > 0);
	if (got == 0)
		loop_watch_stop(trial->loop, &trial->pipe);
}

static void trial_ready(struct loop_watch *watch, unsigned events)
{
	(void)events;
	trial_read((struct upgrade_trial *)(void *)((char *)watch -
						    offsetof(struct upgrade_trial, pipe)));
}

static void trial_late(struct loop_timer *timer)
{
	struct upgrade_trial *trial =
		(struct upgrade_trial *)(void *)((char *)timer -
						 offsetof(struct upgrade_trial, deadline));

	trial->late = true;
	if (kill(-trial->pid, SIGKILL) != 0)
		kill(trial->pid, SIGKILL);
}

static void trial_end(struct upgrade_trial *trial)
{
	loop_timer_stop(trial->loop, &trial->deadline);
	loop_watch_stop(trial->loop, &trial->pipe);
	close(trial->pipe.fd);
	trial->pid = 0;
}

int upgrade_try(struct upgrade_trial *trial, struct loop *loop, const char *exe, char *const *argv,
	int state_fd, void (*done_cb)(void *owner, const struct error *problem), void *owner,
	struct error *error)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set(error, errno, "a pipe to the trial");
	ends[0] = descriptor_raise(ends[0]);
	descriptor_set_blocking(ends[0], false);
	*trial = (struct upgrade_trial){
		.loop = loop,
		.exe = exe,
		.done_cb = done_cb,
		.owner = owner,
		.pipe = {.fd = ends[0], .ready_cb = trial_ready},
		.deadline = {.fire_cb = trial_late},
	};
	if (loop_watch_start(loop, &trial->pipe, LOOP_READ, error) != 0) {
		/* told by *error */
	} else if (loop_timer_start(loop, &trial->deadline, clock_now_ns() + TRIAL_NS) != 0) {
		error_set(error, ENOMEM, "the trial");
	} else {
		trial->pid = fork();
		if (trial->pid == 0)
			trial_child(trial, argv, state_fd, ends[1], parent);
		if (trial->pid < 0)
			error_set(error, errno, "fork of the trial");
	}
	close(ends[1]);
	if (trial->pid > 0)
		return 0;
	trial_end(trial);
	return -1;
}

/* --- the verdict ---------------------------------------------------------------------------- */

/* Whether line is "superd VERSION state N"; *number becomes N. */
static bool line_is_answer(const char *line, int *number)
{
	char version[64];
	int end = 0;

	return sscanf(line, "superd %63[^ ] state %9d%n", version, number, &end) == 2 &&
	       line[end] == '\0';
}

/* What it wrote that is worth telling: the first line that is no warning. */
static const char *trial_words(char *text)
{
	char *rest = text;
	char *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t length = strlen(line);

		if (length > 0 && (length < 10 || strcmp(line + length - 10, " (warning)") != 0))
			return strncmp(line, "superd: ", 8) == 0 ? line + 8 : line;
	}
	return NULL;
}

static int trial_judge_answer(struct upgrade_trial *trial, struct error *error)
{
	char *rest = trial->text;
	char *line;
	int number;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (!line_is_answer(line, &number))
			continue;
		if (number == STATE_VERSION)
			return 0;
		return error_set(error, 0, "'%s' takes version %d of the state, and this is %d",
			line, number, STATE_VERSION);
	}
	return error_set(error, 0, "%s is no superd: it ended without an answer", trial->exe);
}

/* Returns 0, or -1 with *error. */
static int trial_judge(struct upgrade_trial *trial, int status, struct error *error)
{
	const char *words;

	trial->text[trial->used] = '\0';
	if (trial->late)
		return error_set(error, 0, "%s did not answer within %d s", trial->exe,
			(int)(TRIAL_NS / CLOCK_NS_PER_S));
	if (WIFSIGNALED(status)) {
		const char *name = sigabbrev_np(WTERMSIG(status));

		return error_set(error, 0, "%s was killed by SIG%s in its trial", trial->exe,
			name != NULL ? name : "?");
	}
	if (WEXITSTATUS(status) == 0)
		return trial_judge_answer(trial, error);
	words = trial_words(trial->text);
	if (words != NULL)
		return error_set(error, 0, "%.*s", UPGRADE_TEXT_SIZE - 1, words);
	return error_set(error, 0, "%s failed its trial with exit status %d", trial->exe,
		WEXITSTATUS(status));
}

bool upgrade_trial_reaped(struct upgrade_trial *trial, pid_t pid, int status)
{
	struct error problem;
	int result;

	if (trial->pid == 0 || pid != trial->pid)
		return false;
	trial_read(trial);
	trial_end(trial);
	result = trial_judge(trial, status, &problem);
	trial->done_cb(trial->owner, result == 0 ? NULL : &problem);
	return true;
}

void upgrade_trial_cancel(struct upgrade_trial *trial)
{
	if (trial->pid == 0)
		return;
	kill(-trial->pid, SIGKILL);
	kill(trial->pid, SIGKILL);
	trial_end(trial);
}
