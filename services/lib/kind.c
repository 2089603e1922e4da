/*
 * kind: what a descriptor is.
 */
#include "config.h"

#include "services/lib/kind.h"

#include <errno.h>
#include <sys/socket.h>

const char *kind_name(enum kind kind)
{
	switch (kind) {
	case KIND_STREAM:
		return "stream";
	case KIND_LISTENER:
		return "listener";
	case KIND_DGRAM:
		return "datagram";
	case KIND_OTHER:
		break;
	}
	return "other";
}

enum kind kind_of(int fd)
{
	int saved = errno;
	int type, listening = 0;
	socklen_t length = sizeof(type);
	enum kind kind = KIND_OTHER;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0) {
		length = sizeof(listening);
		if (type == SOCK_DGRAM)
			kind = KIND_DGRAM;
		else if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0)
			kind = listening ? KIND_LISTENER : KIND_STREAM;
	}
	errno = saved;
	return kind;
}
