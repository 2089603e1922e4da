/*
 * control_session: request, verb, answer; each step as far as it goes without waiting.
 */
#include "config.h"
#include "superd/control_session.h"

#include "superd/clock.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_NS (5 * CLOCK_NS_PER_S) /* for the whole request */
#define ANSWER_NS (10 * CLOCK_NS_PER_S) /* without a byte taken */

#define SESSION_OF(pointer, member) \
	((struct control_request *)(void *)((char *)(pointer)-offsetof( \
		struct control_request, member)))

static void session_ready(struct loop_watch *watch, unsigned events);

static void session_late(struct loop_timer *timer)
{
	session_drop(SESSION_OF(timer, timer));
}

struct control_request *session_new(
	struct control *control, int fd, const struct ucred *peer, enum control_right right)
{
	struct control_request *session = calloc(1, sizeof(*session));
	struct error error;

	if (session == NULL) {
		close(fd);
		return NULL;
	}
	session->control = control;
	session->fd = fd;
	session->peer = *peer;
	session->right = right;
	session->moved_ns = loop_now_ns(control->loop);
	session->watch = (struct loop_watch){.fd = fd, .ready_cb = session_ready};
	session->timer.fire_cb = session_late;
	if (loop_watch_start(control->loop, &session->watch, LOOP_READ, &error) != 0 ||
		loop_timer_start(control->loop, &session->timer, session->moved_ns + REQUEST_NS) !=
			0) {
		loop_watch_stop(control->loop, &session->watch);
		close(fd);
		free(session);
		return NULL;
	}
	session->next = control->sessions;
	control->sessions = session;
	control->count++;
	return session;
}

/* Closes the connection and forgets what was to be sent. */
static void session_close(struct control_request *session)
{
	struct loop *loop = session->control->loop;

	loop_watch_stop(loop, &session->watch);
	loop_timer_stop(loop, &session->timer);
	if (session->source != NULL)
		session->source->free_cb(session->source_state);
	session->source = NULL;
	control_output_free(&session->output);
	if (session->fd >= 0)
		descriptor_close_orderly(session->fd, NULL);
	session->fd = -1;
}

void session_free(struct control_request *session)
{
	struct control *control = session->control;
	struct control_request **link = &control->sessions;

	session_close(session);
	while (*link != session)
		link = &(*link)->next;
	*link = session->next;
	control->count--;
	free(session);
}

void session_drop(struct control_request *session)
{
	session_close(session);
	if (session->state != SESSION_WAITING)
		session_free(session);
}

void session_turn_away(int fd, const char *text)
{
	char answer[512];

	snprintf(answer, sizeof(answer), "{\"ok\": false, \"error\": \"%.400s\"}\n", text);
	descriptor_close_orderly(fd, answer);
}

/* --- the answer ---------------------------------------------------------------------------- */

/* The next piece of the answer. Returns false where it has to be cut. */
static bool session_fill(struct control_request *session)
{
	int more;

	if (session->source == NULL || control_output_waits(&session->output))
		return true;
	more = session->source->next_cb(session->source_state, &session->output);
	if (more <= 0) {
		session->source->free_cb(session->source_state);
		session->source = NULL;
		control_output_text(&session->output, "\n");
	}
	return more >= 0 && !session->output.failed;
}

/* One piece a turn, so that a large answer shares the loop with everything else. */
static void session_write(struct control_request *session)
{
	struct loop *loop = session->control->loop;
	int64_t now_ns = loop_now_ns(loop);
	struct error error;
	ssize_t count;

	if (!session_fill(session)) {
		session_free(session);
		return;
	}
	count = control_output_send(&session->output, session->fd);
	if (count < 0 || (session->source == NULL && !control_output_waits(&session->output))) {
		session_free(session);
		return;
	}
	if (count > 0)
		session->moved_ns = now_ns;
	if (loop_watch_start(loop, &session->watch, LOOP_WRITE, &error) != 0 ||
		loop_timer_start(loop, &session->timer, session->moved_ns + ANSWER_NS) != 0)
		session_free(session);
}

/* From here on the answer is known. */
static void session_answer(struct control_request *session)
{
	if (session->fd < 0) { /* nobody is there to hear it */
		session_free(session);
		return;
	}
	session->state = SESSION_WRITING;
	session->moved_ns = loop_now_ns(session->control->loop);
	session_write(session);
}

/* {"ok": ok, members of fields}; fields is taken over. */
static json_t *answer_join(bool ok, json_t *fields)
{
	json_t *answer = json_object();

	if (answer != NULL && (json_object_set_new(answer, "ok", json_boolean(ok)) != 0 ||
				      json_object_update(answer, fields) != 0)) {
		json_decref(answer);
		answer = NULL;
	}
	json_decref(fields);
	return answer;
}

static void answer_send(struct control_request *session, json_t *answer)
{
	if (answer == NULL)
		control_output_text(&session->output,
			"{\"ok\": false, \"error\": \"superd is out of memory\"}");
	else
		control_output_json(&session->output, answer);
	control_output_text(&session->output, "\n");
	if (session->output.failed && session->fd >= 0)
		session_close(session);
	session_answer(session);
}

void control_answer(struct control_request *session, json_t *fields)
{
	answer_send(session, fields == NULL ? NULL : answer_join(true, fields));
}

void control_refuse_with(struct control_request *session, json_t *fields, const char *text)
{
	json_t *all = fields == NULL ? json_object() : fields;

	if (all != NULL && json_object_set_new(all, "error", control_string(text)) != 0) {
		json_decref(all);
		all = NULL;
	}
	answer_send(session, all == NULL ? NULL : answer_join(false, all));
}

void control_refuse(struct control_request *session, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	control_refuse_with(session, NULL, text);
}

void control_stream(
	struct control_request *session, const struct control_source *source, void *state)
{
	if (session->fd < 0)
		source->free_cb(state);
	else {
		session->source = source;
		session->source_state = state;
	}
	session_answer(session);
}

int control_take(struct control_request *session)
{
	int fd = session->fd;

	loop_watch_stop(session->control->loop, &session->watch);
	session->fd = -1;
	session_free(session);
	return fd;
}

void control_answer_taken(int fd, const char *error)
{
	json_t *answer = json_object();
	char *text;

	json_object_set_new(answer, "ok", json_boolean(error == NULL));
	if (error != NULL)
		json_object_set_new(answer, "error", control_string(error));
	text = json_dumps(answer, 0);
	if (text != NULL) {
		send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
		descriptor_close_orderly(fd, "\n");
	} else {
		close(fd);
	}
	free(text);
	json_decref(answer);
}

/* --- the request --------------------------------------------------------------------------- */

static void session_run(struct control_request *session)
{
	const struct control_ops *ops = session->control->ops;
	const char *name = session->words.list[0];
	size_t arguments = session->words.count - 1;
	const struct control_verb *verb = ops->verbs;

	while (verb->name != NULL && strcmp(verb->name, name) != 0)
		verb++;
	if (verb->name == NULL)
		control_refuse(session, "there is no verb '%.80s'", name);
	else if (verb->right > session->right)
		control_refuse(session, "%s takes root, superd's user or a member of control-group",
			verb->name);
	else if (arguments < verb->least || arguments > verb->most)
		control_refuse(session, "%s takes %u to %u arguments, not %zu", verb->name,
			verb->least, verb->most, arguments);
	else
		verb->run_cb(session->control->owner, session);
}

/* The line is complete, length bytes of it. */
static void session_request(struct control_request *session, size_t length)
{
	struct loop *loop = session->control->loop;
	struct error error;

	/* What else comes is never read; that the client leaves is seen when it is written to. */
	loop_watch_stop(loop, &session->watch);
	loop_timer_stop(loop, &session->timer);
	session->state = SESSION_WAITING;
	session->line[length] = '\0';
	if (control_request_parse(session->line, length, &session->words, &error) != 0)
		control_refuse(session, "%s", error.text);
	else
		session_run(session);
}

static void session_read(struct control_request *session)
{
	size_t room = CONTROL_LINE_MAX - session->used;
	ssize_t count = recv(session->fd, session->line + session->used, room, MSG_DONTWAIT);
	char *newline;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		session_free(session);
		return;
	}
	newline = memchr(session->line + session->used, '\n', (size_t)count);
	session->used += (size_t)count;
	if (newline != NULL) {
		session_request(session, (size_t)(newline - session->line));
	} else if (session->used == CONTROL_LINE_MAX) {
		session->state = SESSION_WAITING;
		loop_watch_stop(session->control->loop, &session->watch);
		control_refuse(session, "the request is longer than %d bytes", CONTROL_LINE_MAX);
	}
}

static void session_ready(struct loop_watch *watch, unsigned events)
{
	struct control_request *session = SESSION_OF(watch, watch);

	(void)events;
	if (session->state == SESSION_READING)
		session_read(session);
	else
		session_write(session);
}

const char *control_word(const struct control_request *session, size_t number)
{
	return number < session->words.count ? session->words.list[number] : NULL;
}

const struct ucred *control_peer(const struct control_request *session)
{
	return &session->peer;
}
