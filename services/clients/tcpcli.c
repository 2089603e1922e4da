/*
 * tcpcli: a client for services that take lines, datagrams or binary integers.
 *
 * Opens the connections, runs the one mode that was asked for on the first, and closes them all at
 * once.  Exit status: 0 done, 1 the network or the server failed, 2 usage.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "services/clients/args.h"
#include "services/clients/bulk.h"
#include "services/clients/connect.h"
#include "services/clients/datagram.h"
#include "services/clients/session.h"
#include "services/clients/sum.h"

enum { EXIT_USAGE = 2 };

/* Room for two endpoints; longer ones are cut. */
enum { DESCRIPTION_SIZE = 512 };

static int run_lines(int socket, struct fault *fault)
{
	struct session session;
	int result = session_init(&session, socket, STDIN_FILENO, STDOUT_FILENO, fault);

	if (result == 0)
		result = session_run(&session, fault);
	session_free(&session);
	return result;
}

static int run_sum(const struct args *args, int socket, struct fault *fault)
{
	struct sum sum = {.order = args->order};
	struct session session;
	int result = session_init(&session, socket, STDIN_FILENO, STDOUT_FILENO, fault);

	session.encode = sum_encode;
	session.decode = sum_decode;
	session.context = &sum;
	if (result == 0)
		result = session_run(&session, fault);
	if (result == 0)
		result = sum_result(&sum, fault);
	session_free(&session);
	return result;
}

static int run_int(const struct args *args, int socket, struct fault *fault)
{
	unsigned char bytes[BINARY_INT_BYTES];
	struct session session;
	int result = session_init(&session, socket, -1, STDOUT_FILENO, fault);

	if (result == 0) {
		binary_put_int(args->value, args->order, bytes);
		buffer_append(&session.request, bytes, sizeof(bytes));
		result = session_run(&session, fault);
	}
	session_free(&session);
	return result;
}

static int run_bytes(const struct args *args, int socket, struct fault *fault)
{
	struct bulk bulk;
	struct fault later = {.text = ""};
	struct session session;
	int result = bulk_start(&bulk, socket, args->bytes, fault);

	if (result < 0)
		return result;
	result = session_init(&session, socket, bulk.input, STDOUT_FILENO, fault);
	session.encode = bulk_encode;
	session.decode = bulk_decode;
	session.context = &bulk;
	if (result == 0)
		result = session_run(&session, fault);
	session_free(&session);
	/* What the session found is the cause, a short count its consequence. */
	if (bulk_finish(&bulk, &later) < 0 && result == 0) {
		*fault = later;
		result = -1;
	}
	return result;
}

static int run_datagram(const struct args *args, int socket, struct fault *fault)
{
	struct datagram datagram;
	int wait_ms = args->wait_ms != 0 ? args->wait_ms : 1000;
	int result = datagram_init(&datagram, socket, STDIN_FILENO, STDOUT_FILENO, wait_ms, fault);

	if (result == 0)
		result = datagram_run(&datagram, fault);
	if (args->verbose && result == 0 && datagram.received < datagram.sent)
		fprintf(stderr, "%" PRIu64 " of %" PRIu64 " datagrams answered\n",
			datagram.received, datagram.sent);
	datagram_free(&datagram);
	return result;
}

static int run_mode(const struct args *args, int socket, struct fault *fault)
{
	switch (args->mode) {
	case ARGS_LINES:
		return run_lines(socket, fault);
	case ARGS_DATAGRAM:
		return run_datagram(args, socket, fault);
	case ARGS_BYTES:
		return run_bytes(args, socket, fault);
	case ARGS_SUM:
		return run_sum(args, socket, fault);
	case ARGS_INT:
		return run_int(args, socket, fault);
	}
	return -1;
}

/* Opens one connection and says so if that is wanted. */
static int connection_open(
	const struct connect_target *target, bool verbose, int *socket, struct fault *fault)
{
	char text[DESCRIPTION_SIZE];

	*socket = connect_open(target, fault);
	if (*socket < 0)
		return -1;
	if (!verbose)
		return 0;
	if (connect_describe(*socket, sizeof(text), text, fault) < 0)
		return -1;
	fprintf(stderr, "connected using %s\n", text);
	return 0;
}

/*
 * Opens all connections, each descriptor of sockets being -1 before.  Only the first has the local
 * port: two connections to one server cannot share it.
 */
static int connections_open(const struct args *args, int *sockets, struct fault *fault)
{
	struct connect_target target = args->target;
	int i;

	for (i = 0; i < args->connections; i++) {
		if (connection_open(&target, args->verbose, &sockets[i], fault) < 0)
			return -1;
		target.local_port = 0;
	}
	return 0;
}

static int client_run(const struct args *args, struct fault *fault)
{
	int *sockets = calloc((size_t)args->connections, sizeof(*sockets));
	int result;
	int i;

	if (sockets == NULL)
		return fault_set(fault, errno, "%d connections", args->connections);
	for (i = 0; i < args->connections; i++)
		sockets[i] = -1;
	result = connections_open(args, sockets, fault);
	if (result == 0)
		result = run_mode(args, sockets[0], fault);
	for (i = 0; i < args->connections; i++)
		if (sockets[i] >= 0)
			close(sockets[i]);
	free(sockets);
	return result;
}

/* Fills gaps among descriptors 0 to 2, so that no socket is taken for standard input. */
static int standard_open(struct fault *fault)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return fault_set(fault, errno, "/dev/null");
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct args args;
	struct fault fault = {.text = "failed"};

	signal(SIGPIPE, SIG_IGN);
	switch (args_parse(argc, argv, &args)) {
	case ARGS_DONE:
		return EXIT_SUCCESS;
	case ARGS_FAILED:
		return EXIT_FAILURE;
	case ARGS_WRONG:
		return EXIT_USAGE;
	case ARGS_RUN:
		break;
	}
	if (standard_open(&fault) < 0 || client_run(&args, &fault) < 0) {
		fprintf(stderr, "%s\n", fault.text);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
