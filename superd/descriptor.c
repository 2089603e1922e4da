/*
 * descriptor: small deeds on file descriptors that several modules share.
 */
#include "config.h"
#include "superd/descriptor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAIN_BYTES (64 * 1024)

int descriptor_raise(int fd)
{
	int saved = errno;
	int raised = -1;

	if (fd < 0)
		return fd;
	if (fd < DESCRIPTOR_LONG_LIVED)
		raised = fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_LONG_LIVED);
	if (raised >= 0)
		close(fd);
	else
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	errno = saved;
	return raised >= 0 ? raised : fd;
}

int descriptor_set_blocking(int fd, bool blocking)
{
	int flags = fcntl(fd, F_GETFL);
	int wanted;

	if (flags < 0)
		return -1;
	wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
	return wanted == flags ? 0 : fcntl(fd, F_SETFL, wanted);
}

int descriptor_fill_standard(struct error *error)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return error_set(error, errno, "/dev/null");
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

void descriptor_cloexec_inherited(void)
{
	const struct dirent *entry;
	DIR *folder = opendir("/proc/self/fd");

	if (folder == NULL)
		return;
	while ((entry = readdir(folder)) != NULL) {
		int fd = atoi(entry->d_name);

		if (fd > STDERR_FILENO)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(folder);
}

void descriptor_raise_limit(struct rlimit *started)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, started) != 0) {
		*started = (struct rlimit){1024, 1024};
		return;
	}
	raised = *started;
	raised.rlim_cur = raised.rlim_max;
	if (raised.rlim_cur != started->rlim_cur)
		setrlimit(RLIMIT_NOFILE, &raised);
}

void descriptor_close_orderly(int fd, const char *text)
{
	char drain[4096];
	size_t total = 0;
	ssize_t got;

	if (text != NULL)
		send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	do {
		got = recv(fd, drain, sizeof(drain), MSG_DONTWAIT);
		total += got > 0 ? (size_t)got : 0;
	} while (got == sizeof(drain) && total < DRAIN_BYTES);
	close(fd);
}
