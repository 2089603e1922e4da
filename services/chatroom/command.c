/*
 * command: what a line asks for.
 */
#include "config.h"

#include "services/chatroom/command.h"

#include <string.h>

/* Names as they are typed, and their lines of /help. */
static const struct {
	const char *name;
	const char *help;
} commands[] = {
	[COMMAND_SAY] = {"say", NULL},
	[COMMAND_NICK] = {"/nick", "/nick NAME: be called NAME (1 to 16 of A-Z a-z 0-9 _ -)"},
	[COMMAND_WHO] = {"/who", "/who: list who is here"},
	[COMMAND_ME] = {"/me", "/me ACTION: tell the others what you do"},
	[COMMAND_QUIT] = {"/quit", "/quit: leave"},
	[COMMAND_HELP] = {"/help", "/help: this list; a line without / is sent to all others"},
	[COMMAND_UNKNOWN] = {"unknown", NULL},
};

const char *command_kind_name(enum command_kind kind)
{
	return commands[kind].name;
}

const char *command_kind_help(enum command_kind kind)
{
	return commands[kind].help;
}

static enum command_kind kind_of_word(const char *word)
{
	for (enum command_kind kind = COMMAND_NICK; kind < COMMAND_UNKNOWN; kind++)
		if (strcmp(word, commands[kind].name) == 0)
			return kind;
	return COMMAND_UNKNOWN;
}

void command_parse(char *line, struct command *command)
{
	size_t end = strlen(line);
	char *argument;

	if (line[0] != '/') {
		*command = (struct command){.kind = COMMAND_SAY, .text = line};
		return;
	}
	while (line[end - 1] == ' ')
		line[--end] = '\0';
	argument = line + strcspn(line, " ");
	while (*argument == ' ')
		*argument++ = '\0';
	command->kind = kind_of_word(line);
	command->text = command->kind == COMMAND_UNKNOWN ? line : argument;
}
