/*
 * fd: where descriptors live.
 */
#include "config.h"
#include "superd/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int fd_raise(int fd)
{
	int saved = errno;
	int raised = -1;

	if (fd < 0)
		return fd;
	if (fd < FD_HIGH)
		raised = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (raised >= 0) {
		close(fd);
		fd = raised;
	} else {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	errno = saved;
	return fd;
}
