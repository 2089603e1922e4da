/*
 * options: the command line of the bundled programs.  getopt_long(3) would pull in stdio and
 * could not print the help from the table.
 */
#include "config.h"

#include "services/lib/options.h"
#include "services/lib/io.h"
#include "services/lib/note.h"
#include "services/lib/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define HELP_SIZE 4096
#define HELP_COLUMN 28

static const struct options_entry common_entries[] = {
	{'h', "help", NULL, "print this help and exit"},
	{'V', "version", NULL, "print the version and exit"},
};

#define COMMON_COUNT (sizeof(common_entries) / sizeof(common_entries[0]))

static const struct options_entry *entry_at(const struct options *options, size_t index)
{
	return index < options->count ? &options->entries[index]
				      : &common_entries[index - options->count];
}

/* The entry of a letter, or where name is not NULL of a name of length bytes. */
static const struct options_entry *entry_find(
	const struct options *options, char letter, const char *name, size_t length)
{
	for (size_t i = 0; i < options->count + COMMON_COUNT; i++) {
		const struct options_entry *entry = entry_at(options, i);

		if (name == NULL ? entry->letter == letter
				 : entry->name != NULL && strlen(entry->name) == length &&
					   memcmp(entry->name, name, length) == 0)
			return entry;
	}
	return NULL;
}

static void entry_describe(struct text *text, const struct options_entry *entry)
{
	size_t begin = text->used;

	text_add(text, "  ");
	if (entry->letter != 0) {
		text_add_char(text, '-');
		text_add_char(text, entry->letter);
	}
	if (entry->name != NULL) {
		text_add(text, entry->letter != 0 ? ", --" : "    --");
		text_add(text, entry->name);
	}
	if (entry->argument != NULL) {
		text_add_char(text, ' ');
		text_add(text, entry->argument);
	}
	do
		text_add_char(text, ' ');
	while (text->used - begin < HELP_COLUMN && text->used + 1 < text->size);
	text_add(text, entry->text);
	text_add_char(text, '\n');
}

enum options_result options_print(const char *text)
{
	struct io_deadline deadline = io_deadline_idle(IO_FOREVER);

	if (io_write_full(STDOUT_FILENO, text, strlen(text), &deadline) == 0)
		return OPTIONS_DONE;
	note_errno("standard output");
	return OPTIONS_FAILED;
}

static enum options_result help_print(const struct options *options)
{
	char room[HELP_SIZE];
	struct text text;

	text_begin(&text, room, sizeof(room));
	text_add(&text, "usage: ");
	text_add(&text, program_invocation_short_name);
	text_add(&text, " [OPTIONS]");
	if (options->operands != NULL) {
		text_add_char(&text, ' ');
		text_add(&text, options->operands);
	}
	text_add_char(&text, '\n');
	text_add(&text, options->summary);
	text_add(&text, "\n\n");
	for (size_t i = 0; i < options->count + COMMON_COUNT; i++)
		entry_describe(&text, entry_at(options, i));
	return options_print(room);
}

static enum options_result version_print(void)
{
	char room[NOTE_SIZE];
	struct text text;

	text_begin(&text, room, sizeof(room));
	text_add(&text, program_invocation_short_name);
	text_add(&text, " (" PACKAGE_NAME ") " PACKAGE_VERSION "\n");
	return options_print(room);
}

static enum options_result option_wrong(const char *problem, const char *dashes, const char *which)
{
	note(problem, " ", dashes, which, " (-h helps)", NOTE_END);
	return OPTIONS_WRONG;
}

/* One option with its value; word is how the user wrote it, without dashes. */
static enum options_result option_take(const struct options *options,
	const struct options_entry *entry, const char *value, const char *dashes, const char *word)
{
	if (entry >= common_entries && entry < common_entries + COMMON_COUNT)
		return entry->letter == 'h' ? help_print(options) : version_print();
	if (options->option_cb(options->owner, entry, value) == 0)
		return OPTIONS_RUN;
	note("'", value != NULL ? value : "", "' will not do for ", dashes, word, " (-h helps)",
		NOTE_END);
	return OPTIONS_WRONG;
}

/* argv[*index] is "--name" or "--name=value". */
static enum options_result long_take(const struct options *options, char **argv, int *index)
{
	const char *word = argv[*index] + 2;
	const char *equals = strchr(word, '=');
	size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct options_entry *entry = entry_find(options, 0, word, length);
	const char *value = equals != NULL ? equals + 1 : NULL;

	if (entry == NULL)
		return option_wrong("there is no option", "--", word);
	if (entry->argument == NULL && value != NULL)
		return option_wrong("no value is wanted by", "--", entry->name);
	if (entry->argument != NULL && value == NULL) {
		value = argv[*index + 1];
		if (value == NULL)
			return option_wrong("a value is missing behind", "--", entry->name);
		++*index;
	}
	return option_take(options, entry, value, "--", entry->name);
}

/* argv[*index] is "-abc": flags, of which the last may have a value here or in the next word. */
static enum options_result letters_take(const struct options *options, char **argv, int *index)
{
	for (const char *letter = argv[*index] + 1; *letter != '\0'; letter++) {
		const struct options_entry *entry = entry_find(options, *letter, NULL, 0);
		const char word[2] = {*letter, '\0'};
		const char *value = NULL;
		enum options_result result;

		if (entry == NULL)
			return option_wrong("there is no option", "-", word);
		if (entry->argument != NULL) {
			value = letter[1] != '\0' ? letter + 1 : argv[++*index];
			if (value == NULL)
				return option_wrong("a value is missing behind", "-", word);
		}
		result = option_take(options, entry, value, "-", word);
		if (result != OPTIONS_RUN || value != NULL)
			return result;
	}
	return OPTIONS_RUN;
}

enum options_result options_parse(
	const struct options *options, int argc, char **argv, size_t *count)
{
	bool ended = false;
	int kept = 1;

	for (int i = 1; i < argc; i++) {
		enum options_result result = OPTIONS_RUN;
		char *word = argv[i];

		if (ended || word[0] != '-' || word[1] == '\0') {
			if (options->operands == NULL)
				return option_wrong("no operand is wanted:", "", word);
			argv[kept++] = word;
		} else if (strcmp(word, "--") == 0) {
			ended = true;
		} else if (word[1] == '-') {
			result = long_take(options, argv, &i);
		} else {
			result = letters_take(options, argv, &i);
		}
		if (result != OPTIONS_RUN)
			return result;
	}
	if (kept < argc)
		argv[kept] = NULL;
	*count = (size_t)(kept - 1);
	return OPTIONS_RUN;
}

int options_status(enum options_result result)
{
	switch (result) {
	case OPTIONS_WRONG:
		return STATUS_USAGE;
	case OPTIONS_FAILED:
		return STATUS_FAILED;
	case OPTIONS_RUN:
	case OPTIONS_DONE:
		break;
	}
	return STATUS_DONE;
}
