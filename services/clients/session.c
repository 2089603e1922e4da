/*
 * session: one stream connection, both directions at once.
 */
#include "config.h"
#include "services/clients/session.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { SESSION_BUFFER_BYTES = 65536 };

/* The places of the descriptors in what poll is given. */
enum { WATCH_INPUT, WATCH_SOCKET, WATCH_OUTPUT, WATCH_COUNT };

void session_copy(void *context, struct buffer *from, struct buffer *to, bool at_end)
{
	(void)context;
	(void)at_end;
	buffer_move(from, to);
}

int session_init(struct session *session, int socket, int input, int output, struct fault *fault)
{
	*session = (struct session){
		.socket = socket,
		.input = input,
		.output = output,
		.input_end = input < 0,
		.encode = session_copy,
		.decode = session_copy,
	};
	if (buffer_init(&session->typed, SESSION_BUFFER_BYTES) < 0 ||
		buffer_init(&session->request, SESSION_BUFFER_BYTES) < 0 ||
		buffer_init(&session->answer, SESSION_BUFFER_BYTES) < 0 ||
		buffer_init(&session->printed, SESSION_BUFFER_BYTES) < 0)
		return fault_set(fault, errno, "buffers");
	return 0;
}

void session_free(struct session *session)
{
	buffer_free(&session->typed);
	buffer_free(&session->request);
	buffer_free(&session->answer);
	buffer_free(&session->printed);
}

static bool would_block(int code)
{
	return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

/* Whether anything may still be sent. */
static bool session_can_send(const struct session *session)
{
	return !session->server_end && !session->sent_end && session->send_error == 0;
}

static int session_read(struct session *session, struct fault *fault)
{
	ssize_t got = buffer_read(&session->typed, session->input);

	if (got < 0 && !would_block(errno))
		return fault_set(fault, errno, "standard input");
	if (got == 0)
		session->input_end = true;
	return 0;
}

/* Half-closes once the last byte of input has been sent. */
static void session_half_close(struct session *session)
{
	if (!session_can_send(session) || !session->input_end ||
		buffer_length(&session->typed) > 0 || buffer_length(&session->request) > 0)
		return;
	if (shutdown(session->socket, SHUT_WR) < 0)
		/* ENOTCONN: reset since the last byte; one byte more and it would be EPIPE. */
		session->send_error = errno == ENOTCONN ? EPIPE : errno;
	else
		session->sent_end = true;
}

/*
 * Sends what waits.  It encodes again afterwards: if request were left empty while typed is full,
 * poll would be asked neither for the socket nor for input.  An error does not end the session:
 * the server's last words may have arrived before it went away, and are printed first.
 */
static void session_send(struct session *session)
{
	session->encode(session->context, &session->typed, &session->request, session->input_end);
	if (session_can_send(session) && buffer_length(&session->request) > 0 &&
		buffer_send(&session->request, session->socket) < 0 && !would_block(errno))
		session->send_error = errno;
	session->encode(session->context, &session->typed, &session->request, session->input_end);
	session_half_close(session);
}

static void session_receive(struct session *session)
{
	ssize_t got = buffer_receive(&session->answer, session->socket);

	if (got > 0 || (got < 0 && would_block(errno)))
		return;
	if (got < 0)
		session->receive_error = errno;
	session->server_end = true;
}

/* Decodes again after the write, for the same reason as in session_send. */
static int session_write(struct session *session, struct fault *fault)
{
	if (buffer_write(&session->printed, session->output) < 0 && !would_block(errno))
		return fault_set(fault, errno, "standard output");
	session->decode(session->context, &session->answer, &session->printed, session->server_end);
	return 0;
}

/* A descriptor of which nothing is wanted is left out: its POLLHUP would make the loop spin. */
static void watch_set(struct pollfd *watch, int descriptor, short events)
{
	watch->fd = events != 0 ? descriptor : -1;
	watch->events = events;
	watch->revents = 0;
}

static int session_wait(const struct session *session, struct pollfd *watches)
{
	short events = 0;

	if (!session->input_end && session_can_send(session) && buffer_room(&session->typed) > 0)
		events = POLLIN;
	watch_set(&watches[WATCH_INPUT], session->input, events);
	events = 0;
	if (!session->server_end && buffer_room(&session->answer) > 0)
		events |= POLLIN;
	if (session_can_send(session) && buffer_length(&session->request) > 0)
		events |= POLLOUT;
	watch_set(&watches[WATCH_SOCKET], session->socket, events);
	watch_set(&watches[WATCH_OUTPUT], session->output,
		buffer_length(&session->printed) > 0 ? POLLOUT : 0);
	return poll(watches, WATCH_COUNT, -1);
}

/*
 * One turn after poll.  Input goes before the server's end, so that a server that closes is not
 * called premature when the end of input was there at the same moment.
 */
static int session_step(struct session *session, const struct pollfd *watches, struct fault *fault)
{
	if (watches[WATCH_INPUT].revents != 0 && session_read(session, fault) < 0)
		return -1;
	session_send(session);
	if (watches[WATCH_SOCKET].revents != 0 && !session->server_end &&
		buffer_room(&session->answer) > 0)
		session_receive(session);
	session->decode(session->context, &session->answer, &session->printed, session->server_end);
	if (watches[WATCH_OUTPUT].revents != 0)
		return session_write(session, fault);
	return 0;
}

/* What the end of the session means. */
static int session_result(const struct session *session, struct fault *fault)
{
	int code = session->receive_error != 0 ? session->receive_error : session->send_error;

	if (!session->sent_end)
		return fault_set(fault, code, "server terminated prematurely");
	if (code != 0)
		return fault_set(fault, code, "receive from server");
	return 0;
}

int session_run(struct session *session, struct fault *fault)
{
	struct pollfd watches[WATCH_COUNT];

	session_send(session);
	/* Nothing left in printed means nothing left in answer that decode could use. */
	while (!session->server_end || buffer_length(&session->printed) > 0) {
		if (session_wait(session, watches) < 0) {
			if (errno == EINTR)
				continue;
			return fault_set(fault, errno, "poll");
		}
		if (session_step(session, watches, fault) < 0)
			return -1;
	}
	return session_result(session, fault);
}
