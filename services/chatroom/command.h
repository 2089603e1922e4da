/*
 * command: what a line asks for.
 */
#ifndef SERVICES_CHATROOM_COMMAND_H
#define SERVICES_CHATROOM_COMMAND_H

#include <stddef.h>

enum command_kind {
	COMMAND_SAY, /* no command: a line for all others */
	COMMAND_NICK,
	COMMAND_WHO,
	COMMAND_ME,
	COMMAND_QUIT,
	COMMAND_HELP,
	COMMAND_UNKNOWN, /* a slash and something else */
};

struct command {
	enum command_kind kind;
	const char *text; /* what is said, the argument ("" where there is none), or the name of
			     the unknown command; part of the line */
};

/* "say", "/nick", ...; "unknown". */
const char *command_kind_name(enum command_kind kind);

/* One line of /help each: "/nick NAME: ..."; NULL for kinds that have none. */
const char *command_kind_help(enum command_kind kind);

/*
 * Takes a line apart in place: blanks around the argument are cut off.  What is said
 * stays as it is.
 */
void command_parse(char *line, struct command *command);

#endif
