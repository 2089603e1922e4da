/*
 * talk: what a client sends, done.
 *
 * Answers for the client alone stand in parentheses, news of the room begin with an asterisk.
 */
#include "config.h"

#include "services/chatroom/talk.h"
#include "services/chatroom/command.h"
#include "services/chatroom/printable.h"
#include "services/lib/text.h"

#include <string.h>

/* Names are listed in lines of about this length. */
#define WHO_WIDTH 72

/* PREFIX NAME BETWEEN CONTENT for everybody else, and the sender knows that it is done. */
static void talk_others(struct room *room, struct client *client, const char *prefix,
	const char *between, const char *content)
{
	char message[ROOM_MESSAGE_SIZE];
	struct text text;

	text_begin(&text, message, sizeof(message));
	text_add(&text, prefix);
	text_add(&text, client->name);
	text_add(&text, between);
	text_add(&text, content);
	text_add_char(&text, '\n');
	room_tell(room, client, message, text.used);
	client_tell(client, "(OK)\n");
}

/* "(BEFORE WORD AFTER)" for the client alone. */
static void talk_answer(
	struct client *client, const char *before, const char *word, const char *after)
{
	char message[ROOM_MESSAGE_SIZE];
	struct text text;

	text_begin(&text, message, sizeof(message));
	text_add_char(&text, '(');
	text_add(&text, before);
	text_add(&text, word);
	text_add(&text, after);
	text_add(&text, ")\n");
	client_send(client, message, text.used);
}

static void talk_nick(struct room *room, struct client *client, const char *name)
{
	struct client *other = room_find(room, name);
	char before[NAME_SIZE];

	if (!name_valid(name)) {
		client_tell(client, "(a name has 1 to 16 of A-Z a-z 0-9 _ -)\n");
	} else if (other != NULL && other != client) {
		talk_answer(client, "the name ", name, " is taken");
	} else if (strcmp(name, client->name) == 0) {
		client_tell(client, "(OK)\n");
	} else {
		memcpy(before, client->name, sizeof(before));
		talk_others(room, client, "* ", " is now ", name);
		memcpy(client->name, name, strlen(name) + 1);
	}
}

/* Room that is kept in a queue when a long list is written to it. */
static size_t list_space(const struct client *client)
{
	size_t space = queue_space(&client->queue);
	size_t kept = client->queue.size / 2 + ROOM_MESSAGE_SIZE;

	return space > kept ? space - kept : 0;
}

static void names_flush(struct client *client, struct text *line)
{
	if (line->used == 0)
		return;
	text_add(line, ")\n");
	client_send(client, line->data, line->used);
	text_begin(line, line->data, line->size);
}

/* The names, as many as half the client's queue takes.  Returns how many. */
static size_t names_list(struct room *room, struct client *client)
{
	char names[WHO_WIDTH + 2 * NAME_SIZE];
	size_t listed = 0;
	struct text line;

	text_begin(&line, names, sizeof(names));
	for (size_t i = 0; i < room->count && list_space(client) >= sizeof(names); i++) {
		const struct client *other = room->clients[i];

		if (other->end != CLIENT_HERE)
			continue;
		text_add(&line, line.used == 0 ? "(here: " : ", ");
		text_add(&line, other->name);
		listed++;
		if (line.used >= WHO_WIDTH)
			names_flush(client, &line);
	}
	names_flush(client, &line);
	return listed;
}

static void talk_who(struct room *room, struct client *client)
{
	size_t listed = names_list(room, client);
	size_t here = room_here(room);
	char message[ROOM_MESSAGE_SIZE];
	struct text text;

	text_begin(&text, message, sizeof(message));
	text_add_char(&text, '(');
	text_add_unsigned(&text, here);
	text_add(&text, " here, you are ");
	text_add(&text, client->name);
	if (listed < here) {
		text_add(&text, "; too many to list ");
		text_add_unsigned(&text, here - listed);
		text_add(&text, " of them");
	}
	text_add(&text, ")\n");
	client_send(client, message, text.used);
}

static void talk_help(struct client *client)
{
	for (enum command_kind kind = COMMAND_SAY; kind <= COMMAND_UNKNOWN; kind++)
		if (command_kind_help(kind) != NULL)
			talk_answer(client, command_kind_help(kind), "", "");
}

static void talk_command(
	struct room *room, struct client *client, const struct command *command, int64_t now_ns)
{
	switch (command->kind) {
	case COMMAND_SAY:
		talk_others(room, client, "", ": ", command->text);
		break;
	case COMMAND_NICK:
		talk_nick(room, client, command->text);
		break;
	case COMMAND_WHO:
		talk_who(room, client);
		break;
	case COMMAND_ME:
		if (command->text[0] != '\0')
			talk_others(room, client, "* ", " ", command->text);
		else
			client_tell(client, "(what do you do? /me ACTION)\n");
		break;
	case COMMAND_QUIT:
		client_tell(client, "(bye)\n");
		room_leave(client, now_ns);
		break;
	case COMMAND_HELP:
		talk_help(client);
		break;
	case COMMAND_UNKNOWN:
		talk_answer(client, "there is no command ", command->text, ", try /help");
		break;
	}
}

/* Whether a line may pass; every line counts, also one that is wrong. */
static bool rate_allows(struct client *client, int64_t now_ns)
{
	enum rate_verdict verdict = rate_take(&client->rate, now_ns);

	if (verdict == RATE_OVER_FIRST)
		client_tell(client, "(too fast: more than 10 lines a second are dropped)\n");
	return verdict == RATE_FINE;
}

static void talk_line(
	struct room *room, struct client *client, char *line, size_t length, int64_t now_ns)
{
	struct command command;

	printable_replace(line, length);
	command_parse(line, &command);
	/* Who is too fast may still leave. */
	if (command.kind == COMMAND_QUIT || rate_allows(client, now_ns))
		talk_command(room, client, &command, now_ns);
}

void talk_hear(
	struct room *room, struct client *client, const char *piece, size_t length, int64_t now_ns)
{
	while (client->end == CLIENT_HERE) {
		size_t line_length;
		char *line;
		enum input_status status =
			input_next(&client->input, &piece, &length, &line, &line_length);

		if (status == INPUT_MORE)
			return;
		if (status == INPUT_LINE)
			talk_line(room, client, line, line_length, now_ns);
		else if (rate_allows(client, now_ns))
			client_tell(client, "(a line of more than 1024 bytes was dropped)\n");
	}
}

void talk_end(struct room *room, struct client *client, int64_t now_ns)
{
	size_t length;
	char *line;

	if (client->end == CLIENT_HERE && input_last(&client->input, &line, &length))
		talk_line(room, client, line, length, now_ns);
	room_leave(client, now_ns);
}
