/*
 * Tests of services/lib/options: short and long options in every position, and what is wrong.
 */
#include "config.h"

#include "services/lib/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_ARGUMENTS 8

/* What was taken, as text: "v", "n=5", "long=x". */
struct taken {
	char text[256];
};

static int option_take(void *owner, const struct options_entry *entry, const char *value)
{
	struct taken *taken = owner;

	if (value != NULL && strcmp(value, "bad") == 0)
		return -1;
	if (taken->text[0] != '\0')
		strcat(taken->text, " ");
	strcat(taken->text, entry->name);
	if (value != NULL) {
		strcat(taken->text, "=");
		strcat(taken->text, value);
	}
	return 0;
}

static const struct options_entry entries[] = {
	{'v', "verbose", NULL, "say more"},
	{'n', "number", "N", "how many"},
	{0, "long", "X", "no letter"},
};

/* Runs a command line given as words, with both outputs thrown away. */
static enum options_result words_parse(const char *const *words, const char *operands,
	struct taken *taken, char **argv, size_t *count)
{
	struct options options = {.operands = operands,
		.summary = "tests options",
		.count = sizeof(entries) / sizeof(entries[0]),
		.entries = entries,
		.option_cb = option_take,
		.owner = taken};
	int out = dup(1), error = dup(2), null = open("/dev/null", O_WRONLY), argc = 1;
	enum options_result result;

	*taken = (struct taken){.text = ""};
	argv[0] = (char *)"test";
	while (words[argc - 1] != NULL) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	argv[argc] = NULL;
	dup2(null, 1);
	dup2(null, 2);
	result = options_parse(&options, argc, argv, count);
	dup2(out, 1);
	dup2(error, 2);
	close(out);
	close(error);
	close(null);
	return result;
}

static void command_lines_are_read(void **state)
{
	static const struct {
		const char *words[MAX_ARGUMENTS];
		enum options_result result;
		const char *taken;
		const char *operands[MAX_ARGUMENTS];
	} cases[] = {
		{{NULL}, OPTIONS_RUN, "", {NULL}},
		{{"-v"}, OPTIONS_RUN, "verbose", {NULL}},
		{{"--verbose"}, OPTIONS_RUN, "verbose", {NULL}},
		{{"-n", "5"}, OPTIONS_RUN, "number=5", {NULL}},
		{{"-n5"}, OPTIONS_RUN, "number=5", {NULL}},
		{{"-vn5"}, OPTIONS_RUN, "verbose number=5", {NULL}},
		{{"-vvn", "-5"}, OPTIONS_RUN, "verbose verbose number=-5", {NULL}},
		{{"--number=5"}, OPTIONS_RUN, "number=5", {NULL}},
		{{"--number", "5"}, OPTIONS_RUN, "number=5", {NULL}},
		{{"--number="}, OPTIONS_RUN, "number=", {NULL}},
		{{"--long=a=b"}, OPTIONS_RUN, "long=a=b", {NULL}},
		{{"a", "-v", "b", "--long", "x", "c"}, OPTIONS_RUN, "verbose long=x",
			{"a", "b", "c"}},
		{{"-v", "--", "-v", "--long"}, OPTIONS_RUN, "verbose", {"-v", "--long"}},
		{{"-", "-v"}, OPTIONS_RUN, "verbose", {"-"}},
		{{"-h"}, OPTIONS_DONE, "", {NULL}},
		{{"--help"}, OPTIONS_DONE, "", {NULL}},
		{{"-vV"}, OPTIONS_DONE, "verbose", {NULL}},
		{{"--version"}, OPTIONS_DONE, "", {NULL}},
		{{"-x"}, OPTIONS_WRONG, "", {NULL}},
		{{"--verb"}, OPTIONS_WRONG, "", {NULL}},
		{{"--verbose=1"}, OPTIONS_WRONG, "", {NULL}},
		{{"--number"}, OPTIONS_WRONG, "", {NULL}},
		{{"-n"}, OPTIONS_WRONG, "", {NULL}},
		{{"-nbad"}, OPTIONS_WRONG, "", {NULL}},
		{{"--long=bad"}, OPTIONS_WRONG, "", {NULL}},
		{{"-v", "-n", "bad", "-v"}, OPTIONS_WRONG, "verbose", {NULL}},
		{{"--="}, OPTIONS_WRONG, "", {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[MAX_ARGUMENTS + 2];
		struct taken taken;
		size_t count = 0, wanted = 0;
		enum options_result result =
			words_parse(cases[i].words, "WORD...", &taken, argv, &count);

		assert_int_equal(result, cases[i].result);
		assert_string_equal(taken.text, cases[i].taken);
		if (result != OPTIONS_RUN)
			continue;
		for (; cases[i].operands[wanted] != NULL; wanted++)
			assert_string_equal(argv[1 + wanted], cases[i].operands[wanted]);
		assert_int_equal(count, wanted);
		assert_null(argv[1 + count]);
	}
}

static void operands_may_be_unwanted(void **state)
{
	static const char *const words[] = {"-v", "operand", NULL};
	char *argv[MAX_ARGUMENTS];
	struct taken taken;
	size_t count;

	(void)state;
	assert_int_equal(words_parse(words, NULL, &taken, argv, &count), OPTIONS_WRONG);
}

static void results_have_statuses(void **state)
{
	(void)state;
	assert_int_equal(options_status(OPTIONS_DONE), 0);
	assert_int_equal(options_status(OPTIONS_FAILED), 1);
	assert_int_equal(options_status(OPTIONS_WRONG), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines_are_read),
		cmocka_unit_test(operands_may_be_unwanted),
		cmocka_unit_test(results_have_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
