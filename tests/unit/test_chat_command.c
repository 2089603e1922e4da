/*
 * Tests of services/chatroom/command: what a line asks for.
 */
#include "config.h"

#include "services/chatroom/command.h"

#include "tests/unit/unit.h"

#include <string.h>

static void lines_are_understood(void **state)
{
	static const struct {
		const char *line;
		enum command_kind kind;
		const char *text;
	} cases[] = {
		{"hello", COMMAND_SAY, "hello"},
		{"", COMMAND_SAY, ""},
		{"  blanks  stay  ", COMMAND_SAY, "  blanks  stay  "},
		{" /nick x", COMMAND_SAY, " /nick x"},
		{"a /quit", COMMAND_SAY, "a /quit"},
		{"/nick maria", COMMAND_NICK, "maria"},
		{"/nick   maria  ", COMMAND_NICK, "maria"},
		{"/nick two words", COMMAND_NICK, "two words"},
		{"/nick", COMMAND_NICK, ""},
		{"/nick ", COMMAND_NICK, ""},
		{"/me waves  twice ", COMMAND_ME, "waves  twice"},
		{"/me", COMMAND_ME, ""},
		{"/who", COMMAND_WHO, ""},
		{"/who  ", COMMAND_WHO, ""},
		{"/who is it", COMMAND_WHO, "is it"},
		{"/quit", COMMAND_QUIT, ""},
		{"/help", COMMAND_HELP, ""},
		{"/", COMMAND_UNKNOWN, "/"},
		{"/   ", COMMAND_UNKNOWN, "/"},
		{"//", COMMAND_UNKNOWN, "//"},
		{"/Nick maria", COMMAND_UNKNOWN, "/Nick"},
		{"/nickname maria", COMMAND_UNKNOWN, "/nickname"},
		{"/nic maria", COMMAND_UNKNOWN, "/nic"},
		{"/say maria", COMMAND_UNKNOWN, "/say"},
		{"/unknown", COMMAND_UNKNOWN, "/unknown"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command command;
		char line[64];

		strcpy(line, cases[i].line);
		command_parse(line, &command);
		assert_int_equal(command.kind, cases[i].kind);
		assert_string_equal(command.text, cases[i].text);
	}
}

/* /help describes every command by its name, and nothing else. */
static void help_is_complete(void **state)
{
	(void)state;
	assert_null(command_kind_help(COMMAND_SAY));
	assert_null(command_kind_help(COMMAND_UNKNOWN));
	for (enum command_kind kind = COMMAND_NICK; kind < COMMAND_UNKNOWN; kind++) {
		const char *name = command_kind_name(kind);

		assert_memory_equal(command_kind_help(kind), name, strlen(name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_understood),
		cmocka_unit_test(help_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
