/*
 * probe: a program for the system tests that tells how it was started, one "key=value" a line:
 * identity, signals, limits, descriptors, environment.
 *
 *	probe [report]		the report, then ends
 *	probe exit N		ends with status N at once
 *	probe hold		the report, then waits until the client half-closes
 *	probe stubborn		ignores TERM and waits
 *	probe family		starts a grandchild in its group that ignores TERM, and waits
 *	probe take		the report, then takes one client or datagram off each socket it has
 *
 * With PROBE_OUT in the environment the report goes to that file, in one piece, and not to
 * standard output, which may be a socket that nobody is connected to.
 */
#include "config.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void print_status(FILE *out)
{
	static const char *const wanted[] = {"Uid:", "Gid:", "Groups:", "SigBlk:", "SigIgn:",
		"SigPnd:", "NoNewPrivs:", "CapInh:", "CapPrm:", "CapEff:", "CapAmb:"};
	FILE *file = fopen("/proc/self/status", "r");
	char line[1024];

	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
			size_t length = strlen(wanted[i]);

			if (strncmp(line, wanted[i], length) != 0)
				continue;
			line[strcspn(line, "\n")] = '\0';
			for (char *c = line; *c != '\0'; c++)
				*c = *c == '\t' ? ' ' : *c;
			fprintf(out, "%.*s=%s\n", (int)length - 1, line,
				line + length + strspn(line + length, " "));
		}
	}
	fclose(file);
}

static void print_limits(FILE *out)
{
	static const struct {
		const char *name;
		__rlimit_resource_t resource;
	} limits[] = {{"cpu", RLIMIT_CPU}, {"memory", RLIMIT_AS}, {"processes", RLIMIT_NPROC},
		{"open-files", RLIMIT_NOFILE}, {"file-size", RLIMIT_FSIZE},
		{"core-size", RLIMIT_CORE}, {"stack", RLIMIT_STACK}};
	struct rlimit limit;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (getrlimit(limits[i].resource, &limit) == 0)
			fprintf(out, "limit.%s=%lld,%lld\n", limits[i].name,
				(long long)limit.rlim_cur, (long long)limit.rlim_max);
	}
}

static void print_descriptors(FILE *out)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	char target[256];
	char path[300];
	ssize_t length;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(folder))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		length = readlink(path, target, sizeof(target) - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		fprintf(out, "fd.%s=%s\n", entry->d_name, target);
	}
	if (folder != NULL)
		closedir(folder);
}

static void print_lines(FILE *out, int argc, char **argv)
{
	char folder[4096];
	mode_t mask = umask(0);

	fprintf(out, "pid=%d\nsid=%d\npgid=%d\nppid=%d\n", (int)getpid(), (int)getsid(0),
		(int)getpgid(0), (int)getppid());
	fprintf(out, "umask=%03o\nnice=%d\n", (unsigned)mask, getpriority(PRIO_PROCESS, 0));
	fprintf(out, "cwd=%s\n", getcwd(folder, sizeof(folder)) != NULL ? folder : "?");
	for (int i = 0; i < argc; i++)
		fprintf(out, "argv.%d=%s\n", i, argv[i]);
	print_status(out);
	print_limits(out);
	print_descriptors(out);
	for (char **variable = environ; *variable != NULL; variable++)
		fprintf(out, "env.%s\n", *variable);
	fprintf(out, "end=1\n");
}

/* In one piece: whoever reads the file finds all of it or nothing. */
static void print_report(int argc, char **argv)
{
	const char *path = getenv("PROBE_OUT");
	char partial[4096];
	FILE *file = stdout;
	size_t length = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &length);

	if (out == NULL)
		return;
	print_lines(out, argc, argv);
	fclose(out);
	snprintf(partial, sizeof(partial), "%s.%d", path != NULL ? path : "", (int)getpid());
	if (path != NULL)
		file = fopen(partial, "we");
	if (file == NULL)
		return;
	fwrite(text, 1, length, file);
	if (file != stdout) {
		fclose(file);
		rename(partial, path);
	} else {
		fflush(file);
	}
	free(text);
}

static void wait_for_end(void)
{
	char data[4096];

	while (read(STDIN_FILENO, data, sizeof(data)) > 0) {
	}
}

/* A grandchild in the same process group that TERM does not end. */
static void start_family(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		for (;;)
			pause();
	}
	printf("grandchild=%d\n", (int)pid);
	fflush(stdout);
}

/* One client of a listening socket, one datagram of another, or nothing. */
static void take_from(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	int listening = 0;
	socklen_t length = sizeof(listening);
	char data[64];
	int client;

	if (poll(&ready, 1, 0) <= 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && listening != 0) {
		client = accept(fd, NULL, NULL);
		if (client >= 0)
			close(client);
	} else if (recv(fd, data, sizeof(data), MSG_DONTWAIT) < 0) {
		perror("recv");
	}
}

static void take_all(void)
{
	const char *count = getenv("LISTEN_FDS");

	for (int i = 0; count != NULL && i < atoi(count); i++)
		take_from(3 + i);
}

int main(int argc, char **argv)
{
	const char *deed = argc > 1 ? argv[1] : "report";

	if (strcmp(deed, "exit") == 0)
		return argc > 2 ? atoi(argv[2]) : 0;
	if (strcmp(deed, "stubborn") == 0)
		signal(SIGTERM, SIG_IGN);
	if (strcmp(deed, "family") == 0)
		start_family();
	print_report(argc, argv);
	if (strcmp(deed, "report") == 0)
		return 0;
	if (strcmp(deed, "hold") == 0)
		wait_for_end();
	else if (strcmp(deed, "take") == 0)
		take_all();
	else
		for (;;)
			pause();
	return 0;
}
