/*
 * collect: climess fetch, the client's half of messenger's dialogue that gets the messages.
 */
#include "config.h"

#include "services/clients/collect.h"
#include "services/clients/wire.h"
#include "services/lib/io.h"
#include "services/lib/line.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define BUFFER_SIZE 65536

/* What is being read. */
struct collection {
	struct line_reader reader;
	struct io_deadline deadline;
	char buffer[BUFFER_SIZE];
};

/* Turns a terminal's echo off.  Returns whether there was one to turn off, with *before. */
static bool echo_off(int fd, struct termios *before)
{
	struct termios quiet;

	if (tcgetattr(fd, before) != 0)
		return false;
	quiet = *before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	return tcsetattr(fd, TCSAFLUSH, &quiet) == 0;
}

static enum line_status password_read(int fd, char password[COLLECT_PASSWORD_SIZE])
{
	char buffer[LINE_BUFFER_SIZE(COLLECT_PASSWORD_SIZE)];
	struct io_deadline deadline = io_deadline_idle(IO_FOREVER);
	struct line_reader reader;
	enum line_status status;
	size_t length;
	char *line;

	line_reader_init(&reader, fd, buffer, sizeof(buffer));
	status = line_read(&reader, COLLECT_PASSWORD_SIZE - 1, &deadline, &line, &length);
	if (status == LINE_OK || status == LINE_UNTERMINATED) {
		memcpy(password, line, length + 1);
		status = LINE_OK;
	}
	explicit_bzero(buffer, sizeof(buffer));
	return status;
}

int collect_password(const char *file, char password[COLLECT_PASSWORD_SIZE], struct fault *fault)
{
	bool standard = strcmp(file, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	struct termios before;
	enum line_status status;

	if (fd < 0)
		return fault_set(fault, errno, "%.400s", file);
	if (standard && echo_off(fd, &before)) {
		fputs("password: ", stderr);
		status = password_read(fd, password);
		tcsetattr(fd, TCSAFLUSH, &before);
		fputs("\n", stderr);
	} else {
		status = password_read(fd, password);
	}
	if (!standard)
		close(fd);
	if (status != LINE_OK)
		return fault_set(fault, 0, "no password in %.400s: %s",
			standard ? "standard input" : file, line_status_name(status));
	return 0;
}

static int request_send(const struct collect *collect, int socket, struct fault *fault)
{
	struct io_deadline deadline = io_deadline_idle(collect->idle_ms);
	char request[WIRE_LINE_SIZE + COLLECT_PASSWORD_SIZE];
	int length = snprintf(request, sizeof(request), "%s\n%s%s", collect->login,
		collect->password != NULL ? collect->password : "",
		collect->password != NULL ? "\n" : "");
	int result;

	if (length < 0 || length >= (int)sizeof(request))
		return fault_set(fault, 0, "the login is too long");
	result = io_write_full(socket, request, (size_t)length, &deadline);
	if (result != 0)
		fault_set(fault, errno, "cannot send");
	explicit_bzero(request, sizeof(request));
	return result;
}

/* Reads one line and prints it.  Returns 0, or -1 with *fault. */
static int line_collect(
	struct collection *collection, char line[WIRE_LINE_SIZE], struct fault *fault)
{
	char *text;
	size_t length;
	enum line_status status = line_read(
		&collection->reader, WIRE_LINE_SIZE - 2, &collection->deadline, &text, &length);

	if (status == LINE_ERROR)
		return fault_set(fault, errno, "the connection broke");
	if (status != LINE_OK)
		return fault_set(fault, 0, "the server's answer is incomplete: %s",
			line_status_name(status));
	memcpy(line, text, length);
	line[length] = '\n';
	if (wire_print(line, length + 1, fault) != 0)
		return -1;
	line[length] = '\0';
	return 0;
}

/* Reads and prints so many bytes. */
static int bytes_collect(struct collection *collection, uint64_t bytes, struct fault *fault)
{
	char data[BUFFER_SIZE];

	while (bytes > 0) {
		ssize_t got = line_take(&collection->reader, data,
			bytes < sizeof(data) ? (size_t)bytes : sizeof(data), &collection->deadline);

		if (got < 0)
			return fault_set(fault, errno, "the connection broke");
		if (got == 0)
			return fault_set(fault, 0, "the server's answer is incomplete");
		if (wire_print(data, (size_t)got, fault) != 0)
			return -1;
		bytes -= (uint64_t)got;
	}
	return 0;
}

/* One message. */
static int message_collect(struct collection *collection, struct fault *fault)
{
	char line[WIRE_LINE_SIZE];
	uint64_t bytes;
	int used = 0;

	if (line_collect(collection, line, fault) != 0)
		return -1;
	if (sscanf(line, "FROM %*s DATE %*s BYTES %" SCNu64 "%n", &bytes, &used) != 1 ||
		line[used] != '\0')
		return fault_set(fault, 0, "the server's answer makes no sense");
	return bytes_collect(collection, bytes, fault);
}

/* Everything from the answer to the end of file. */
static int answer_collect(struct collection *collection, struct fault *fault)
{
	char line[WIRE_LINE_SIZE];
	uint64_t messages;
	char more;

	if (line_collect(collection, line, fault) != 0)
		return -1;
	fault->text[0] = '\0';
	if (strncmp(line, "250 ", 4) != 0)
		return -1;
	if (sscanf(line, "250 %" SCNu64 " messages", &messages) != 1)
		return fault_set(fault, 0, "the server's answer makes no sense");
	for (; messages > 0; messages--)
		if (message_collect(collection, fault) != 0)
			return -1;
	if (line_take(&collection->reader, &more, 1, &collection->deadline) != 0)
		return fault_set(fault, 0, "the server did not end where it should");
	return wire_print_end(fault);
}

int collect_run(const struct collect *collect, int socket, struct fault *fault)
{
	struct collection collection = {.deadline = io_deadline_idle(collect->idle_ms)};

	line_reader_init(&collection.reader, socket, collection.buffer, sizeof(collection.buffer));
	wire_break_at_exit(socket);
	if (request_send(collect, socket, fault) != 0 || answer_collect(&collection, fault) != 0)
		return -1;
	wire_end(socket);
	return 0;
}
