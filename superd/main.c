/*
 * main: options; nothing else.
 */
#include "config.h"

#include "superd/conf.h"
#include "superd/diff.h"
#include "superd/explain.h"
#include "superd/log.h"
#include "superd/output.h"
#include "superd/super.h"
#include "superd/upgrade.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define EXIT_CONF 1
#define EXIT_OUTPUT 1
#define EXIT_USAGE 2

enum {
	OPTION_READY_FD = 256,
	OPTION_LOOP,
	OPTION_SPAWN,
	OPTION_EXPLAIN,
	OPTION_DIFF,
	OPTION_LISTEN,
	OPTION_SET
};

enum deed { DEED_RUN, DEED_CHECK, DEED_PRINT, DEED_EXPLAIN, DEED_DIFF };

/* The command line: what to do, and with what. */
struct command {
	enum deed deed;
	struct super_options options;
	const char *address; /* DEED_EXPLAIN: who comes, */
	const char *service; /* and to which service */
	struct conf_single single;
	const char **listen; /* room for all that a command line can hold */
	const char **set;
};

static const char usage_text[] =
	"usage: superd [-c FILE] [-d] [-p PIDFILE] [-l LEVEL] [--ready-fd=N]\n"
	"              [--loop=select|epoll] [--spawn=vm|fork]    run (foreground unless -d)\n"
	"       superd -t [-c FILE]    check the configuration: every problem, one a line\n"
	"       superd -T [-c FILE]    print the effective configuration\n"
	"       superd --diff [-c FILE]    what a reload of the running superd would do\n"
	"       superd --listen ENDPOINT... [--set 'OPTIONS'] -- PROGRAM [ARG...]    one service, no\n"
	"              file; OPTIONS are what would stand in its service block\n"
	"       superd --explain ADDRESS SERVICE [-c FILE]    which rule decides for this client\n"
	"       superd -h | -V         this text; the version\n"
	"FILE is " SYSCONFDIR "/superd.conf by default.\n";

static _Noreturn void usage(void)
{
	fputs(usage_text, stderr);
	exit(EXIT_USAGE);
}

static _Noreturn void print_and_exit(const char *text)
{
	fputs(text, stdout);
	exit(output_finish("superd") == 0 ? 0 : EXIT_OUTPUT);
}

static void usage_problem(const char *option, const char *value, const char *wanted)
{
	fprintf(stderr, "superd: %s: '%s' is not %s\n", option, value, wanted);
	usage();
}

static int parse_fd(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (end == text || *end != '\0' || fd < 0 || fd > INT_MAX)
		usage_problem("--ready-fd", text, "a descriptor's number");
	return (int)fd;
}

static int parse_level(const char *text)
{
	enum log_level level;

	if (log_level_parse(text, &level) != 0)
		usage_problem("-l", text, "error, warning, notice, info or debug");
	return (int)level;
}

static enum loop_kind parse_loop(const char *text)
{
	if (strcmp(text, "select") == 0)
		return LOOP_SELECT;
	if (strcmp(text, "epoll") != 0)
		usage_problem("--loop", text, "select or epoll");
	return LOOP_EPOLL;
}

static enum spawn_kind parse_spawn(const char *text)
{
	if (strcmp(text, "vm") == 0)
		return SPAWN_VM;
	if (strcmp(text, "fork") != 0)
		usage_problem("--spawn", text, "vm or fork");
	return SPAWN_FORK;
}

/* The options that end superd at once are here too. */
static void parse_option(struct command *command, int option)
{
	struct super_options *options = &command->options;

	switch (option) {
	case 'c':
		options->conf_file = optarg;
		break;
	case 'd':
		options->detach = true;
		break;
	case 'p':
		options->pid_file = optarg;
		break;
	case 'l':
		options->level = parse_level(optarg);
		break;
	case 't':
		command->deed = DEED_CHECK;
		break;
	case 'T':
		command->deed = DEED_PRINT;
		break;
	case OPTION_EXPLAIN:
		command->deed = DEED_EXPLAIN;
		command->address = optarg;
		break;
	case OPTION_DIFF:
		command->deed = DEED_DIFF;
		break;
	case OPTION_LISTEN:
		command->listen[command->single.listen_count++] = optarg;
		break;
	case OPTION_SET:
		command->set[command->single.set_count++] = optarg;
		break;
	case OPTION_READY_FD:
		options->ready_fd = parse_fd(optarg);
		break;
	case OPTION_LOOP:
		options->loop = parse_loop(optarg);
		break;
	case OPTION_SPAWN:
		options->spawn = parse_spawn(optarg);
		break;
	case 'h':
		print_and_exit(usage_text);
	case 'V':
		print_and_exit("superd " PACKAGE_VERSION "\n");
	default:
		usage();
	}
}

/* The rest of the command line is a program: one service without a file. */
static void parse_single(struct command *command, char **program)
{
	struct conf_single *single = &command->single;

	if (*program == NULL || command->options.conf_file != NULL ||
		command->deed == DEED_EXPLAIN || command->deed == DEED_DIFF)
		usage();
	single->listen = command->listen;
	single->set = command->set;
	single->argv = (const char *const *)program;
	command->options.single = single;
	command->options.conf_file = CONF_SINGLE_NAME;
}

/* --listen has taken one endpoint; up to the next option, and short of the "--" before the program,
   there may be more. */
static void parse_endpoints(struct command *command, int argc, char **argv)
{
	int end = optind;

	while (end < argc && strcmp(argv[end], "--") != 0)
		end++;
	while (end < argc && optind < end && argv[optind][0] != '-')
		command->listen[command->single.listen_count++] = argv[optind++];
}

static void parse_options(int argc, char **argv, struct command *command)
{
	static const struct option longs[] = {
		{"ready-fd", required_argument, NULL, OPTION_READY_FD},
		{"loop", required_argument, NULL, OPTION_LOOP},
		{"spawn", required_argument, NULL, OPTION_SPAWN},
		{"explain", required_argument, NULL, OPTION_EXPLAIN},
		{"diff", no_argument, NULL, OPTION_DIFF},
		{"listen", required_argument, NULL, OPTION_LISTEN},
		{"set", required_argument, NULL, OPTION_SET},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:dp:l:tThV", longs, NULL)) != -1) {
		parse_option(command, option);
		if (option == OPTION_LISTEN)
			parse_endpoints(command, argc, argv);
	}
	if (command->single.listen_count > 0) {
		parse_single(command, argv + optind);
		return;
	}
	if (command->deed == DEED_EXPLAIN && optind < argc)
		command->service = argv[optind++];
	if (optind != argc || command->single.set_count > 0 ||
		(command->deed == DEED_EXPLAIN && command->service == NULL))
		usage();
	if (command->options.conf_file == NULL)
		command->options.conf_file = SYSCONFDIR "/superd.conf";
}

/*
 * The folder of the bundled services: where they were installed, or, for a superd that is run in
 * its build tree (BUILD/superd/superd beside BUILD/config.status), where they were built. The
 * text is the caller's to free.
 */
static char *service_directory(const char *exe)
{
	char *path = exe != NULL ? realpath(exe, NULL) : NULL;
	char *mark = NULL;
	char *folder = NULL;
	char *slash = NULL;

	for (int up = 0; path != NULL && up < 2 && (slash = strrchr(path, '/')) != NULL; up++)
		*slash = '\0';
	if (slash == NULL || asprintf(&mark, "%s/config.status", path) < 0)
		mark = NULL;
	if (mark == NULL || access(mark, F_OK) != 0 || asprintf(&folder, "%s/services", path) < 0)
		folder = NULL;
	free(mark);
	free(path);
	return folder != NULL ? folder : strdup(PKGLIBEXECDIR);
}

/* A path that still means the same once superd has gone to "/", to be freed; NULL stays NULL. */
static char *absolute_path(const char *path, const char *directory)
{
	char *joined;

	if (path == NULL)
		return NULL;
	if (path[0] == '/' || directory == NULL || asprintf(&joined, "%s/%s", directory, path) < 0)
		return strdup(path);
	return joined;
}

/* Whether folder (length bytes of it) has the program name; *path is then the caller's. */
static bool folder_has(const char *folder, size_t length, const char *name, char **path)
{
	if (asprintf(path, "%.*s/%s", (int)length, folder, name) < 0)
		return false;
	if (folder[0] == '/' && access(*path, X_OK) == 0)
		return true;
	free(*path);
	return false;
}

/*
 * The program of the command line as a shell would have it: a bare name is that of a bundled
 * service, or else looked up in PATH; another path begins here. To be freed; what cannot be found
 * stays as it is, and the loader says so.
 */
static char *program_path(const char *name, const char *services, const char *directory)
{
	const char *folder = getenv("PATH");
	char *path;

	if (strchr(name, '/') != NULL)
		return absolute_path(name, directory);
	if (folder_has(services, strlen(services), name, &path)) {
		free(path);
		return strdup(name);
	}
	while (folder != NULL) {
		const char *end = strchrnul(folder, ':');

		if (folder_has(folder, (size_t)(end - folder), name, &path))
			return path;
		folder = *end == ':' ? end + 1 : NULL;
	}
	return strdup(name);
}

static void print_message(void *owner, enum conf_severity severity, const char *text)
{
	(void)owner;
	fprintf(stderr, severity == CONF_WARNING ? "%s (warning)\n" : "%s\n", text);
}

/* Prints the verdict on a client; its exit status is 0 where it is accepted. */
static int explain_client(const struct command *command, const struct conf *conf)
{
	struct explain_client client;
	struct error error;
	bool accepted;

	if (explain_parse(command->address, &client, &error) != 0 ||
		explain(conf, command->service, &client, time(NULL), stdout, &accepted, &error) !=
			0) {
		fprintf(stderr, "superd: %s\n", error.text);
		return EXIT_USAGE;
	}
	return accepted ? 0 : 1;
}

/* Prints what the running superd would do with the file. */
static int diff_file(const struct command *command, const struct conf *conf)
{
	char *path = absolute_path(command->options.conf_file, command->options.directory);
	struct error error = {.text = "out of memory"};
	int status = 0;

	if (path == NULL || diff_print(conf, path, stdout, stderr, &error) != 0) {
		fprintf(stderr, "superd: %s\n", error.text);
		status = EXIT_CONF;
	}
	free(path);
	return status;
}

/* What needs the configuration and does not become a superd. */
static int look_at_configuration(const struct command *command)
{
	static const unsigned modes[] = {[DEED_CHECK] = CONF_CHECK,
		[DEED_PRINT] = CONF_PRINT,
		[DEED_EXPLAIN] = CONF_BUILD,
		[DEED_DIFF] = CONF_BUILD};
	struct conf_request request = {
		.file = command->options.conf_file,
		.single = command->options.single,
		.service_directory = command->options.service_directory,
		.mode = modes[command->deed],
	};
	const struct conf *conf;
	struct error error;
	int status = 0;

	if (conf_load(&request, print_message, NULL, &conf, &error) != 0) {
		if (error.text[0] != '\0')
			fprintf(stderr, "superd: %s\n", error.text);
		return EXIT_CONF;
	}
	if (command->deed == DEED_EXPLAIN)
		status = explain_client(command, conf);
	else if (command->deed == DEED_DIFF)
		status = diff_file(command, conf);
	if (output_finish("superd") != 0)
		status = EXIT_OUTPUT;
	conf_free(conf);
	return status;
}

/* The path of this program, to be freed: a link that changes once the file is replaced. */
static char *own_path(void)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	return length > 0 ? strndup(path, (size_t)length) : NULL;
}

/* Where superd was started, to be freed; NULL where that cannot be told. */
static char *start_directory(void)
{
	char path[PATH_MAX];

	return getcwd(path, sizeof(path)) != NULL ? strdup(path) : NULL;
}

/* An upgrade goes on with what the first superd knew of itself. Returns 0, or -1 with *error. */
static int arrive(struct command *command, struct upgrade_arrival *arrival, struct error *error)
{
	struct super_options *options = &command->options;
	const struct state *state = &arrival->state;

	if (upgrade_arrive(arrival, error) != 0)
		return -1;
	options->arrival = arrival;
	if (arrival->role == UPGRADE_NONE) {
		options->exe = own_path();
		options->directory = start_directory();
		return 0;
	}
	options->exe = strdup(state->exe);
	options->directory = strdup(state->directory);
	return 0;
}

/* After an upgrade superd stands in "/": the paths of the command line begin elsewhere. Returns 0,
   or -1 with *error where one does that is not there any more. */
static int return_to_start(const struct super_options *options, struct error *error)
{
	if (options->arrival->role == UPGRADE_NONE || options->single != NULL ||
		options->conf_file[0] == '/' || options->directory == NULL ||
		chdir(options->directory) == 0)
		return 0;
	return error_set(error, errno, "%s, where superd was started", options->directory);
}

/* Nothing has been touched yet: back to the old program, where there is one. Returns the exit
   status where there is none. */
static int refuse(const struct upgrade_arrival *arrival, char **argv, const struct error *error)
{
	struct error problem;

	fprintf(stderr, "superd: %s\n", error->text);
	if (arrival->role == UPGRADE_TAKE) {
		upgrade_go_back(arrival, argv, error->text, &problem);
		fprintf(stderr, "superd: %s\n", problem.text);
	}
	return EX_OSERR;
}

/* argv is changed where it names a program: an upgrade finds it where it is. */
static int run(struct command *command, char **argv)
{
	struct super_options *options = &command->options;
	char *folder = service_directory(options->exe);
	char *pid_file = absolute_path(options->pid_file, options->directory);
	char *program = NULL;
	int status = EX_OSERR;

	if (folder != NULL && options->single != NULL)
		program = program_path(argv[optind], folder, options->directory);
	if (program != NULL)
		argv[optind] = program;
	options->service_directory = folder;
	options->pid_file = pid_file;
	if (folder != NULL && command->deed == DEED_RUN)
		status = super_run(options);
	else if (folder != NULL)
		status = look_at_configuration(command);
	free(program);
	free(pid_file);
	free(folder);
	return status;
}

int main(int argc, char **argv)
{
	struct command command = {
		.deed = DEED_RUN,
		.options = {.level = -1,
			.ready_fd = -1,
			.loop = LOOP_AUTO,
			.spawn = SPAWN_AUTO,
			.argv = argv},
		.listen = calloc(2 * (size_t)argc, sizeof(*command.listen)),
	};
	struct upgrade_arrival arrival;
	struct error error;
	int status = arrive(&command, &arrival, &error);

	if (command.listen == NULL)
		status = error_set(&error, ENOMEM, "options");
	if (status == 0) {
		command.set = command.listen + argc;
		parse_options(argc, argv, &command);
		status = return_to_start(&command.options, &error);
	}
	status = status == 0 ? run(&command, argv) : refuse(&arrival, argv, &error);
	upgrade_settle(&arrival);
	free(command.listen);
	free(command.options.exe);
	free(command.options.directory);
	return status;
}
