/*
 * superctl: asks a running superd, and shows what it answers.
 */
#include "config.h"

#include "superd/control_client.h"
#include "superd/control_socket.h"
#include "superd/explain.h"
#include "superd/output.h"
#include "superd/superctl_table.h"
#include "superd/superctl_top.h"
#include "superd/superctl_view.h"

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EXIT_REFUSED 1
#define EXIT_OUTPUT 1
#define EXIT_USAGE 2

/* For the next byte of an answer. A reload reads files and looks up names, an upgrade tries the new
   program: both take their time. */
#define ANSWER_MS 15000
#define UPGRADE_MS 45000 /* the trial, and what has to end before */
#define RELOAD_MS 60000  /* the file may be slow to load, and another reload may go before */
#define ANSWER_LONG_MS 120000

struct command {
	const char *socket;
	bool json;
	double interval_s;
	long frames;
	size_t word_count;
	char **words; /* the verb and its arguments */
};

struct verb {
	const char *name;
	size_t least; /* arguments */
	size_t most;
	int answer_ms;
	/* Shows an answer that is no refusal; returns the exit status. NULL: there is nothing to
	   show but warnings. */
	int (*show_cb)(const struct command *command, const json_t *answer);
	/* Does all of it in place of asking once. NULL: it is asked once. */
	int (*run_cb)(const struct command *command);
};

static const char usage_text[] =
	"usage: superctl [-s SOCKET] VERB [ARGUMENT...]\n"
	"       status [SERVICE]           superd and its services, those with problems first\n"
	"       connections [SERVICE]      running programs, the busiest first\n"
	"       top                        both, again and again (-d SECONDS, -n FRAMES)\n"
	"       kill ID                    end a program\n"
	"       pause SERVICE              leave who comes in the kernel's queue\n"
	"       drain SERVICE              turn who comes away; what runs may finish\n"
	"       resume SERVICE             go on after either\n"
	"       reload                     load the configuration again\n"
	"       reopen                     open log files anew\n"
	"       log LEVEL                  error, warning, notice, info, debug or default\n"
	"       upgrade                    put the installed superd in place of the running one\n"
	"       stop                       end superd\n"
	"       metrics                    all counts as OpenMetrics text\n"
	"       explain ADDRESS SERVICE    which rule decides for this client now\n"
	"       --json                     with status, connections and explain: as it came\n"
	"       -h | -V                    this text; the version\n"
	"SOCKET is " CONTROL_DEFAULT_PATH " by default.\n";

static _Noreturn void usage(void)
{
	fputs(usage_text, stderr);
	exit(EXIT_USAGE);
}

static _Noreturn void print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(output_finish("superctl") == 0 ? 0 : EXIT_OUTPUT);
}

static struct view command_view(void)
{
	struct view view = {.stream = stdout, .rows = SIZE_MAX};
	struct winsize size;

	view.coloured = isatty(STDOUT_FILENO) != 0;
	if (view.coloured && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		view.width = size.ws_col;
	return view;
}

/* The answer without its "ok". */
static int show_json(const json_t *answer)
{
	json_t *rest = json_copy((json_t *)(uintptr_t)answer);

	json_object_del(rest, "ok");
	json_dumpf(rest, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	putchar('\n');
	json_decref(rest);
	return 0;
}

static int out_of_memory(void)
{
	fputs("superctl: out of memory\n", stderr);
	return EXIT_REFUSED;
}

static int show_status(const struct command *command, const json_t *answer)
{
	struct view_pair pair = {.now = answer};
	struct view view = command_view();

	if (command->json)
		return show_json(answer);
	if (command->word_count > 1)
		view_service(&view, answer);
	else if (view_status(&view, &pair) != 0)
		return out_of_memory();
	return 0;
}

static int show_connections(const struct command *command, const json_t *answer)
{
	struct view_pair pair = {.now = answer};
	struct view view = command_view();

	if (command->json)
		return show_json(answer);
	return view_connections(&view, &pair) != 0 ? out_of_memory() : 0;
}

static int show_metrics(const struct command *command, const json_t *answer)
{
	(void)command;
	fputs(view_string(answer, "metrics"), stdout);
	return 0;
}

/* Like superd --explain: the exit status is the verdict. */
static int show_explain(const struct command *command, const json_t *answer)
{
	if (command->json)
		show_json(answer);
	else
		fputs(view_string(answer, "text"), stdout);
	return json_is_true(json_object_get(answer, "accepted")) ? 0 : EXIT_REFUSED;
}

/* The lines that came with an answer, to standard error. */
static void show_messages(const json_t *answer)
{
	const json_t *lines = json_object_get(answer, "messages");

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const char *text = json_string_value(json_array_get(lines, i));

		table_print_text(stderr, text == NULL ? "" : text);
		fputc('\n', stderr);
	}
}

/* Asks, and shows the answer or the refusal. Returns the exit status. */
static int command_ask(const struct command *command, const struct verb *verb,
	const char *const *words, size_t count)
{
	struct error error;
	json_t *answer;
	int status = 0;

	if (control_client_ask(command->socket, words, count, verb->answer_ms, &answer, &error) !=
		0) {
		fprintf(stderr, "superctl: %s\n", error.text);
		return EXIT_REFUSED;
	}
	show_messages(answer);
	if (!json_is_true(json_object_get(answer, "ok"))) {
		fputs("superctl: ", stderr);
		table_print_text(stderr, view_string(answer, "error"));
		fputc('\n', stderr);
		status = EXIT_REFUSED;
	} else if (verb->show_cb != NULL) {
		status = verb->show_cb(command, answer);
	}
	json_decref(answer);
	return status;
}

static int run_top(const struct command *command)
{
	const struct top top = {.socket = command->socket,
		.interval_s = command->interval_s,
		.frames = command->frames};
	struct error error;

	if (top_run(&top, &error) == 0)
		return 0;
	fprintf(stderr, "superctl: %s\n", error.text);
	return EXIT_REFUSED;
}

/* "user:UID:GID,GID,..." of a unix peer: superd looks no names up. NULL with *error. */
static char *explain_address(const char *text, struct error *error)
{
	struct explain_client client;
	size_t length;
	char *made = NULL;
	FILE *stream;

	if (strncmp(text, "user:", 5) != 0)
		return strdup(text);
	if (explain_parse(text, &client, error) != 0)
		return NULL;
	stream = open_memstream(&made, &length);
	if (stream == NULL)
		return NULL;
	fprintf(stream, "user:%u:%u", (unsigned)client.peer.u.cred.uid,
		(unsigned)client.peer.u.cred.gid);
	for (size_t i = 0; i < client.group_count; i++)
		fprintf(stream, ",%u", (unsigned)client.groups[i]);
	fclose(stream);
	return made;
}

static int run_explain(const struct command *command)
{
	static const struct verb verb = {
		.name = "explain", .answer_ms = ANSWER_MS, .show_cb = show_explain};
	struct error error = {0};
	char *address = explain_address(command->words[1], &error);
	const char *words[] = {"explain", address, command->words[2]};
	int status;

	if (address == NULL) {
		fprintf(stderr, "superctl: %s\n", error.text);
		return EXIT_REFUSED;
	}
	status = command_ask(command, &verb, words, 3);
	free(address);
	return status;
}

static const struct verb *verb_find(const char *name)
{
	static const struct verb verbs[] = {
		{"status", 0, 1, ANSWER_MS, show_status, NULL},
		{"connections", 0, 1, ANSWER_MS, show_connections, NULL},
		{"top", 0, 0, 0, NULL, run_top},
		{"kill", 1, 1, ANSWER_MS, NULL, NULL},
		{"pause", 1, 1, ANSWER_MS, NULL, NULL},
		{"drain", 1, 1, ANSWER_MS, NULL, NULL},
		{"resume", 1, 1, ANSWER_MS, NULL, NULL},
		{"reload", 0, 0, RELOAD_MS, NULL, NULL},
		{"reopen", 0, 0, ANSWER_MS, NULL, NULL},
		{"upgrade", 0, 0, UPGRADE_MS, NULL, NULL},
		{"stop", 0, 0, ANSWER_MS, NULL, NULL},
		{"log", 1, 1, ANSWER_MS, NULL, NULL},
		{"metrics", 0, 0, ANSWER_MS, show_metrics, NULL},
		{"explain", 2, 2, ANSWER_MS, NULL, run_explain},
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static double parse_seconds(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds >= 0.1 && seconds <= 3600)) {
		fprintf(stderr, "superctl: -d: '%s' is not 0.1 to 3600 seconds\n", text);
		usage();
	}
	return seconds;
}

static long parse_frames(const char *text)
{
	char *end;
	long frames = strtol(text, &end, 10);

	if (end == text || *end != '\0' || frames < 1) {
		fprintf(stderr, "superctl: -n: '%s' is not a number of frames\n", text);
		usage();
	}
	return frames;
}

static void parse_options(int argc, char **argv, struct command *command)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "s:d:n:hV", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			command->socket = optarg;
			break;
		case 'j':
			command->json = true;
			break;
		case 'd':
			command->interval_s = parse_seconds(optarg);
			break;
		case 'n':
			command->frames = parse_frames(optarg);
			break;
		case 'h':
			print_and_exit(usage_text);
		case 'V':
			print_and_exit("superctl " PACKAGE_VERSION "\n");
		default:
			usage();
		}
	}
	command->words = argv + optind;
	command->word_count = (size_t)(argc - optind);
}

int main(int argc, char **argv)
{
	struct command command = {.socket = CONTROL_DEFAULT_PATH, .interval_s = 2};
	const struct verb *verb;
	int status;

	parse_options(argc, argv, &command);
	if (command.word_count == 0)
		usage();
	verb = verb_find(command.words[0]);
	if (verb == NULL) {
		fprintf(stderr, "superctl: there is no verb '%s'\n", command.words[0]);
		usage();
	}
	if (command.word_count - 1 < verb->least || command.word_count - 1 > verb->most) {
		fprintf(stderr, "superctl: %s takes another number of arguments\n", verb->name);
		usage();
	}
	if (verb->run_cb != NULL)
		status = verb->run_cb(&command);
	else
		status = command_ask(
			&command, verb, (const char *const *)command.words, command.word_count);
	return output_finish("superctl") == 0 ? status : EXIT_OUTPUT;
}
