/*
 * datagram: each line of input a datagram, each answer printed as it comes.
 */
#include "config.h"
#include "services/clients/datagram.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "services/clients/connect.h"

/* The largest payload over IPv4: 65535 less the headers of IP and UDP. */
enum { DATAGRAM_MAX_BYTES = 65507 };

/* The places of the descriptors in what poll is given. */
enum { WATCH_INPUT, WATCH_SOCKET, WATCH_OUTPUT, WATCH_COUNT };

int datagram_init(struct datagram *datagram, int socket, int input, int output, int wait_ms,
	struct fault *fault)
{
	*datagram = (struct datagram){
		.socket = socket, .input = input, .output = output, .wait_ms = wait_ms};
	if (buffer_init(&datagram->typed, DATAGRAM_MAX_BYTES + 1) < 0 ||
		buffer_init(&datagram->printed, 65536) < 0)
		return fault_set(fault, errno, "buffers");
	return 0;
}

void datagram_free(struct datagram *datagram)
{
	buffer_free(&datagram->typed);
	buffer_free(&datagram->printed);
}

static bool would_block(int code)
{
	return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

/* Bytes of the line to be dealt with next, its newline included; 0: none is complete. */
static size_t datagram_line(const struct datagram *datagram)
{
	const char *bytes = buffer_bytes(&datagram->typed);
	size_t length = buffer_length(&datagram->typed);
	const char *newline = length > 0 ? memchr(bytes, '\n', length) : NULL;

	if (newline != NULL)
		return (size_t)(newline - bytes) + 1;
	return datagram->input_end || buffer_room(&datagram->typed) == 0 ? length : 0;
}

static void datagram_refuse(struct datagram *datagram)
{
	datagram->lines++;
	datagram->bad_lines++;
	fprintf(stderr, "line %" PRIu64 ": too long for a datagram\n", datagram->lines);
}

/*
 * Deals with lines that cannot be sent: longer than a datagram, and what follows of such a line.
 * Returns the length of the next line that can, 0 if none is complete.
 */
static size_t datagram_next(struct datagram *datagram)
{
	size_t length;

	while ((length = datagram_line(datagram)) > 0) {
		bool ended = buffer_bytes(&datagram->typed)[length - 1] == '\n';

		if (!datagram->skipping && length <= DATAGRAM_MAX_BYTES)
			return length;
		if (!datagram->skipping)
			datagram_refuse(datagram);
		datagram->skipping = !ended;
		buffer_consume(&datagram->typed, length);
	}
	return 0;
}

static int datagram_send(struct datagram *datagram, size_t length, struct fault *fault)
{
	ssize_t put = send(datagram->socket, buffer_bytes(&datagram->typed), length,
		MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0 && would_block(errno))
		return 0;
	if (put < 0 && errno != EMSGSIZE)
		return fault_set(fault, errno, "send to server");
	if (put < 0) {
		datagram_refuse(datagram);
	} else {
		datagram->lines++;
		datagram->sent++;
	}
	buffer_consume(&datagram->typed, length);
	return 0;
}

static int datagram_receive(struct datagram *datagram, struct fault *fault)
{
	if (buffer_receive(&datagram->printed, datagram->socket) >= 0)
		datagram->received++;
	else if (!would_block(errno))
		return fault_set(fault, errno, "receive from server");
	return 0;
}

static int datagram_read(struct datagram *datagram, struct fault *fault)
{
	ssize_t got = buffer_read(&datagram->typed, datagram->input);

	if (got < 0 && !would_block(errno))
		return fault_set(fault, errno, "standard input");
	if (got == 0)
		datagram->input_end = true;
	return 0;
}

/* A descriptor of which nothing is wanted is left out: its POLLHUP would make the loop spin. */
static void watch_set(struct pollfd *watch, int descriptor, short events)
{
	watch->fd = events != 0 ? descriptor : -1;
	watch->events = events;
	watch->revents = 0;
}

static int datagram_wait(const struct datagram *datagram, size_t length, struct pollfd *watches)
{
	bool printing = buffer_length(&datagram->printed) > 0;
	short events = 0;
	int timeout_ms = -1;

	if (!printing)
		events |= POLLIN;
	if (length > 0)
		events |= POLLOUT;
	watch_set(&watches[WATCH_SOCKET], datagram->socket, events);
	watch_set(&watches[WATCH_INPUT], datagram->input,
		length == 0 && !datagram->input_end ? POLLIN : 0);
	watch_set(&watches[WATCH_OUTPUT], datagram->output, printing ? POLLOUT : 0);
	if (datagram->end_ms != 0 && !printing) {
		int64_t left_ms = datagram->end_ms - connect_now_ms();

		timeout_ms = left_ms > 0 ? (int)left_ms : 0;
	}
	return poll(watches, WATCH_COUNT, timeout_ms);
}

/* One turn after poll; length is what waited to be sent when poll was called. */
static int datagram_step(
	struct datagram *datagram, size_t length, const struct pollfd *watches, struct fault *fault)
{
	short socket = watches[WATCH_SOCKET].revents;

	if (watches[WATCH_INPUT].revents != 0 && datagram_read(datagram, fault) < 0)
		return -1;
	if (length > 0 && socket != 0 && datagram_send(datagram, length, fault) < 0)
		return -1;
	if (buffer_length(&datagram->printed) == 0 && socket != 0 &&
		datagram_receive(datagram, fault) < 0)
		return -1;
	if (watches[WATCH_OUTPUT].revents != 0 &&
		buffer_write(&datagram->printed, datagram->output) < 0 && !would_block(errno))
		return fault_set(fault, errno, "standard output");
	return 0;
}

/* Whether all is sent and answered, or enough time was given to it. */
static bool datagram_done(const struct datagram *datagram)
{
	if (datagram->end_ms == 0 || buffer_length(&datagram->printed) > 0)
		return false;
	return datagram->received >= datagram->sent || connect_now_ms() >= datagram->end_ms;
}

int datagram_run(struct datagram *datagram, struct fault *fault)
{
	struct pollfd watches[WATCH_COUNT];

	for (;;) {
		size_t length = datagram_next(datagram);

		if (datagram->input_end && length == 0 && datagram->end_ms == 0)
			datagram->end_ms = connect_now_ms() + datagram->wait_ms;
		if (datagram_done(datagram))
			break;
		if (datagram_wait(datagram, length, watches) < 0) {
			if (errno == EINTR)
				continue;
			return fault_set(fault, errno, "poll");
		}
		if (datagram_step(datagram, length, watches, fault) < 0)
			return -1;
	}
	if (datagram->bad_lines > 0)
		return fault_set(fault, 0, "%" PRIu64 " of %" PRIu64 " lines not sent",
			datagram->bad_lines, datagram->lines);
	return 0;
}
