/*
 * fuzz_control: what a client of the control socket sends, in pieces, to a session that runs.
 *
 * Held against it: whatever is sent, the answer is nothing or one JSON object with "ok" and a
 * newline; a request that is understood is understood the same again when it is written out; and
 * only verbs that the client may use are run.
 */
#include "config.h"
#include "superd/control_request.h"
#include "superd/control_session.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool holds)
{
	if (!holds)
		abort();
}

/* What every verb must not be without. */
static void hold_request(void *owner, struct control_request *request)
{
	enum control_right *right = owner;
	struct control_words again;
	const char *words[CONTROL_WORDS_MAX];
	char line[CONTROL_LINE_MAX];
	struct error error;
	size_t count = 0;
	ssize_t length;

	hold(*right != CONTROL_NOTHING);
	while (count < CONTROL_WORDS_MAX && control_word(request, count) != NULL) {
		words[count] = control_word(request, count);
		hold(words[count][0] != '\0');
		count++;
	}
	length = control_request_format(words, count, line, &error);
	if (length > 0) {
		hold(control_request_parse(line, (size_t)length - 1, &again, &error) == 0);
		hold(again.count == count);
		for (size_t i = 0; i < count; i++)
			hold(strcmp(again.list[i], words[i]) == 0);
	}
}

static void run_look(void *owner, struct control_request *request)
{
	hold_request(owner, request);
	control_answer(request, json_pack("{s:o}", "word",
					control_word(request, 1) == NULL
						? json_null()
						: control_string(control_word(request, 1))));
}

static void run_change(void *owner, struct control_request *request)
{
	const enum control_right *right = owner;

	hold(*right == CONTROL_EVERYTHING);
	hold_request(owner, request);
	control_refuse(request, "not '%s'", control_word(request, 1));
}

/* A large answer of three pieces. */
static int stream_next(void *state, struct control_output *output)
{
	int *pieces = state;

	if (*pieces == 3)
		control_output_text(output, "{\"ok\": true, \"x\": [0");
	for (int i = 0; i < 1000; i++)
		control_output_text(output, ",\n\"some text\"");
	if (--*pieces > 0)
		return 1;
	control_output_text(output, "]}");
	return 0;
}

static void run_stream(void *owner, struct control_request *request)
{
	static const struct control_source source = {.next_cb = stream_next, .free_cb = free};
	int *pieces = malloc(sizeof(*pieces));

	hold_request(owner, request);
	hold(pieces != NULL);
	*pieces = 3;
	control_stream(request, &source, pieces);
}

static void denied(void *owner, const struct ucred *peer)
{
	(void)owner;
	(void)peer;
	abort(); /* sessions are made here, not accepted */
}

/* What has come on fd, appended to text. */
static size_t take(int fd, char *text, size_t used, size_t size)
{
	ssize_t count;

	while (used < size && (count = recv(fd, text + used, size - used, MSG_DONTWAIT)) > 0)
		used += (size_t)count;
	return used;
}

static void hold_answer(const char *text, size_t length)
{
	json_t *answer;

	if (length == 0)
		return;
	hold(text[length - 1] == '\n');
	answer = json_loadb(text, length, 0, NULL);
	hold(json_is_boolean(json_object_get(answer, "ok")));
	json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct control_verb verbs[] = {
		{"look", 0, 2, CONTROL_LOOK, run_look},
		{"change", 1, 1, CONTROL_EVERYTHING, run_change},
		{"stream", 0, 7, CONTROL_LOOK, run_stream},
		{.name = NULL},
	};
	static const struct control_ops ops = {.verbs = verbs, .denied_cb = denied};
	static char text[1 << 18];
	const struct ucred peer = {.pid = 1};
	enum control_right right;
	struct control *control;
	struct error error;
	struct loop *loop;
	size_t used = 0;
	int pair[2];

	if (size == 0)
		return 0;
	right = data[0] & 1 ? CONTROL_EVERYTHING : CONTROL_LOOK;
	hold(loop_new(data[0] & 2 ? LOOP_SELECT : LOOP_EPOLL, &loop, &error) == 0);
	hold(control_new(loop, &ops, &right, &control, &error) == 0);
	hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	hold(session_new(control, pair[0], &peer, right) != NULL);
	data++;
	size--;
	while (size > 0 && control->count > 0) {
		size_t piece = size < 1 + data[0] % 64U ? size : 1 + data[0] % 64U;

		if (send(pair[1], data, piece, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break;
		data += piece;
		size -= piece;
		hold(loop_turn(loop, &error) == 0);
		used = take(pair[1], text, used, sizeof(text));
	}
	shutdown(pair[1], SHUT_WR);
	while (control->count > 0) {
		hold(loop_turn(loop, &error) == 0);
		used = take(pair[1], text, used, sizeof(text));
	}
	used = take(pair[1], text, used, sizeof(text));
	hold_answer(text, used);
	close(pair[1]);
	control_free(control);
	loop_free(loop);
	return 0;
}
