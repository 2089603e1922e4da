/*
 * upgrade: exec(2) there and back.
 */
#include "config.h"
#include "superd/upgrade.h"

#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define VARIABLE "SUPERD_UPGRADE"

static int fd_keep(void *owner, int fd)
{
	(void)owner;
	return fcntl(fd, F_SETFD, 0);
}

static int fd_drop(void *owner, int fd)
{
	(void)owner;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

int upgrade_take(const struct state *state, const char *exe, char *const *argv, struct error *error)
{
	char value[64];
	int old_fd = -1;
	int state_fd = state_store(state, error);

	if (state_fd < 0)
		return -1;
	/* O_PATH: a program may be executed without being readable. */
	old_fd = open("/proc/self/exe", O_PATH);
	snprintf(value, sizeof(value), "take %d %d", state_fd, old_fd);
	if (old_fd < 0 || setenv(VARIABLE, value, 1) != 0) {
		error_set(error, errno, "the way back");
	} else if (fd_keep(NULL, state_fd) != 0 || state_each_fd(state, fd_keep, NULL) != 0) {
		error_set(error, errno, "the descriptors");
	} else {
		execv(exe, argv);
		error_set(error, errno, "%s", exe);
	}
	state_each_fd(state, fd_drop, NULL);
	unsetenv(VARIABLE);
	if (old_fd >= 0)
		close(old_fd);
	close(state_fd);
	return -1;
}

/* "7 8 ...": a descriptor; *text goes on behind it and its blank. -1 where there is none. */
static int take_number(const char **text)
{
	char *end;
	long number;

	if (**text < '0' || **text > '9')
		return -1;
	errno = 0;
	number = strtol(*text, &end, 10);
	if (errno != 0 || number > INT_MAX || (*end != '\0' && *end != ' '))
		return -1;
	*text = *end == ' ' ? end + 1 : end;
	return (int)number;
}

/* Which role text gives; the rest of it behind the word. */
static enum upgrade_role take_role(const char **text)
{
	static const char *const words[] = {
		[UPGRADE_TRY] = "try ", [UPGRADE_TAKE] = "take ", [UPGRADE_BACK] = "back "};

	for (int role = UPGRADE_TRY; role <= UPGRADE_BACK; role++) {
		size_t length = strlen(words[role]);

		if (strncmp(*text, words[role], length) == 0) {
			*text += length;
			return (enum upgrade_role)role;
		}
	}
	return UPGRADE_NONE;
}

static int arrive_load(struct upgrade_arrival *arrival, struct error *error)
{
	pid_t expected = arrival->role == UPGRADE_TRY ? getppid() : getpid();

	if (state_load(arrival->state_fd, &arrival->state, error) != 0)
		return -1;
	if (arrival->state.pid != expected)
		return error_set(error, 0, "the state is that of process %d", arrival->state.pid);
	return 0;
}

/* fexecve(3) names the process after the descriptor's number. */
static void arrive_name(const char *exe)
{
	const char *slash = strrchr(exe, '/');

	prctl(PR_SET_NAME, slash != NULL ? slash + 1 : exe);
}

int upgrade_arrive(struct upgrade_arrival *arrival, struct error *error)
{
	const char *text = getenv(VARIABLE);
	int result;

	*arrival = (struct upgrade_arrival){.role = UPGRADE_NONE, .state_fd = -1, .fd = -1};
	if (text == NULL)
		return 0;
	arrival->role = take_role(&text);
	arrival->state_fd = take_number(&text);
	if (arrival->role == UPGRADE_TRY || arrival->role == UPGRADE_TAKE)
		arrival->fd = take_number(&text);
	else
		snprintf(arrival->why, sizeof(arrival->why), "%s", text);
	if (arrival->role == UPGRADE_NONE || arrival->state_fd < 0)
		result = error_set(error, 0, VARIABLE " is set and means nothing");
	else
		result = arrive_load(arrival, error);
	unsetenv(VARIABLE);
	if (result == 0 && arrival->role == UPGRADE_BACK)
		arrive_name(arrival->state.exe);
	return result;
}

int upgrade_answer(const struct upgrade_arrival *arrival)
{
	return dprintf(arrival->fd, "superd " PACKAGE_VERSION " state %d\n", STATE_VERSION) > 0
		       ? 0
		       : -1;
}

int upgrade_go_back(const struct upgrade_arrival *arrival, char *const *argv, const char *why,
	struct error *error)
{
	char value[UPGRADE_TEXT_SIZE + 64];

	if (arrival->role != UPGRADE_TAKE || arrival->fd < 0)
		return error_set(error, 0, "there is no way back");
	snprintf(value, sizeof(value), "back %d %s", arrival->state_fd, why);
	if (setenv(VARIABLE, value, 1) != 0 || fd_keep(NULL, arrival->state_fd) != 0 ||
		state_each_fd(&arrival->state, fd_keep, NULL) != 0)
		return error_set(error, errno, "the way back");
	fexecve(arrival->fd, argv, environ);
	return error_set(error, errno, "the old program");
}

void upgrade_settle(struct upgrade_arrival *arrival)
{
	bool ours = arrival->role == UPGRADE_TAKE || arrival->role == UPGRADE_BACK;

	if (arrival->state_fd >= 0)
		close(arrival->state_fd);
	if (arrival->fd >= 0)
		close(arrival->fd);
	if (ours && arrival->state.version != 0 && arrival->state.conf.fd >= 0)
		close(arrival->state.conf.fd);
	state_free(&arrival->state);
	*arrival = (struct upgrade_arrival){.role = UPGRADE_NONE, .state_fd = -1, .fd = -1};
}
