/*
 * wire: what both halves of climess share.
 */
#include "config.h"

#include "services/clients/wire.h"
#include "services/lib/io.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void linger_set(int socket, int on)
{
	struct linger linger = {.l_onoff = on, .l_linger = 0};

	setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void wire_break_at_exit(int socket)
{
	linger_set(socket, 1);
}

void wire_end(int socket)
{
	linger_set(socket, 0);
	close(socket);
}

int wire_print(const char *data, size_t size, struct fault *fault)
{
	struct io_deadline deadline = io_deadline_idle(IO_FOREVER);

	if (size > 0 && io_write_full(STDOUT_FILENO, data, size, &deadline) != 0)
		return fault_set(fault, errno, "standard output");
	return 0;
}

int wire_print_end(struct fault *fault)
{
	struct stat stat;

	if (fstat(STDOUT_FILENO, &stat) == 0 && S_ISREG(stat.st_mode) && fsync(STDOUT_FILENO) != 0)
		return fault_set(fault, errno, "standard output");
	return 0;
}
