/*
 * main: options; nothing else.
 */
#include "config.h"

#include "superd/conf.h"
#include "superd/log.h"
#include "superd/super.h"

#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define EXIT_CONF 1
#define EXIT_USAGE 2

enum { OPTION_READY_FD = 256, OPTION_LOOP, OPTION_SPAWN };

enum deed { DEED_RUN, DEED_CHECK, DEED_PRINT };

static const char usage_text[] =
	"usage: superd [-c FILE] [-d] [-p PIDFILE] [-l LEVEL] [--ready-fd=N]\n"
	"              [--loop=select|epoll] [--spawn=vm|fork]    run (foreground unless -d)\n"
	"       superd -t [-c FILE]    check the configuration: every problem, one a line\n"
	"       superd -T [-c FILE]    print the effective configuration\n"
	"       superd -h | -V         this text; the version\n"
	"FILE is " SYSCONFDIR "/superd.conf by default.\n";

static _Noreturn void usage(void)
{
	fputs(usage_text, stderr);
	exit(EXIT_USAGE);
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

static void parse_options(int argc, char **argv, struct super_options *options, enum deed *deed)
{
	static const struct option longs[] = {
		{"ready-fd", required_argument, NULL, OPTION_READY_FD},
		{"loop", required_argument, NULL, OPTION_LOOP},
		{"spawn", required_argument, NULL, OPTION_SPAWN},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:dp:l:tThV", longs, NULL)) != -1) {
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
			*deed = DEED_CHECK;
			break;
		case 'T':
			*deed = DEED_PRINT;
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
			fputs(usage_text, stdout);
			exit(0);
		case 'V':
			puts("superd " PACKAGE_VERSION);
			exit(0);
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
}

/*
 * The folder of the bundled services: where they were installed, or, for a superd that is run in
 * its build tree (BUILD/superd/superd beside BUILD/config.status), where they were built. The
 * text is the caller's to free.
 */
static char *service_directory(void)
{
	char *path = realpath("/proc/self/exe", NULL);
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
static char *absolute_path(const char *path)
{
	char folder[PATH_MAX];
	char *joined;

	if (path == NULL)
		return NULL;
	if (path[0] == '/' || getcwd(folder, sizeof(folder)) == NULL ||
		asprintf(&joined, "%s/%s", folder, path) < 0)
		return strdup(path);
	return joined;
}

static void print_message(void *owner, enum conf_severity severity, const char *text)
{
	(void)owner;
	fprintf(stderr, severity == CONF_WARNING ? "%s (warning)\n" : "%s\n", text);
}

static int check_or_print(const struct super_options *options, enum deed deed)
{
	struct conf_request request = {
		.file = options->conf_file,
		.service_directory = options->service_directory,
		.mode = deed == DEED_PRINT ? CONF_PRINT : CONF_CHECK,
	};
	const struct conf *conf;
	struct error error;

	if (conf_load(&request, print_message, NULL, &conf, &error) == 0)
		return 0;
	if (error.text[0] != '\0')
		fprintf(stderr, "superd: %s\n", error.text);
	return EXIT_CONF;
}

int main(int argc, char **argv)
{
	struct super_options options = {
		.conf_file = SYSCONFDIR "/superd.conf",
		.level = -1,
		.ready_fd = -1,
		.loop = LOOP_AUTO,
		.spawn = SPAWN_AUTO,
	};
	enum deed deed = DEED_RUN;
	char *folder = service_directory();
	char *pid_file;
	int status;

	parse_options(argc, argv, &options, &deed);
	pid_file = absolute_path(options.pid_file);
	options.service_directory = folder;
	options.pid_file = pid_file;
	status = deed == DEED_RUN ? super_run(&options) : check_or_print(&options, deed);
	free(pid_file);
	free(folder);
	return status;
}
