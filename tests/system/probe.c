/*
 * probe: a program for the system tests that tells how it was started, one "key=value" a line:
 * identity, signals, limits, descriptors, environment.
 *
 *	probe [report]		the report, then ends
 *	probe exit N		ends with status N at once
 *	probe hold		the report, then waits until the client half-closes
 *	probe stubborn		ignores TERM and waits
 *	probe family		starts a grandchild in its group that ignores TERM, and waits
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void print_status(void)
{
	static const char *const wanted[] = {
		"Uid:", "Gid:", "Groups:", "SigBlk:", "SigIgn:", "SigPnd:", "NoNewPrivs:"};
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
			printf("%.*s=%s\n", (int)length - 1, line,
				line + length + strspn(line + length, " "));
		}
	}
	fclose(file);
}

static void print_limits(void)
{
	static const struct {
		const char *name;
		int resource;
	} limits[] = {{"cpu", RLIMIT_CPU}, {"memory", RLIMIT_AS}, {"processes", RLIMIT_NPROC},
		{"open-files", RLIMIT_NOFILE}, {"file-size", RLIMIT_FSIZE},
		{"core-size", RLIMIT_CORE}, {"stack", RLIMIT_STACK}};
	struct rlimit limit;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (getrlimit(limits[i].resource, &limit) == 0)
			printf("limit.%s=%lld,%lld\n", limits[i].name, (long long)limit.rlim_cur,
				(long long)limit.rlim_max);
	}
}

static void print_descriptors(void)
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
		printf("fd.%s=%s\n", entry->d_name, target);
	}
	if (folder != NULL)
		closedir(folder);
}

static void print_report(int argc, char **argv)
{
	char folder[4096];
	mode_t mask = umask(0);

	printf("pid=%d\nsid=%d\npgid=%d\nppid=%d\n", (int)getpid(), (int)getsid(0), (int)getpgid(0),
		(int)getppid());
	printf("umask=%03o\nnice=%d\n", (unsigned)mask, getpriority(PRIO_PROCESS, 0));
	printf("cwd=%s\n", getcwd(folder, sizeof(folder)) != NULL ? folder : "?");
	for (int i = 0; i < argc; i++)
		printf("argv.%d=%s\n", i, argv[i]);
	print_status();
	print_limits();
	print_descriptors();
	for (char **variable = environ; *variable != NULL; variable++)
		printf("env.%s\n", *variable);
	printf("end=1\n");
	fflush(stdout);
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
	else
		for (;;)
			pause();
	return 0;
}
