/*
 * holder: from an address to the socket's inode by /proc/net (proc(5)), and from there to a
 * process by the links in /proc/PID/fd.
 */
#include "config.h"
#include "superd/holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_PER_STEP 64
#define STATE_LISTEN 0x0a /* of tcp(7), as /proc/net/tcp has it; those stand first there */

struct holder {
	int type;
	struct addr addr;
	char link[32]; /* "socket:[INODE]"; "": not looked for yet */
	DIR *processes;
	DIR *descriptors; /* of pid; NULL: the next process */
	pid_t pid;
	bool found;
};

struct holder *holder_begin(int type, const struct addr *addr)
{
	struct holder *holder = calloc(1, sizeof(*holder));

	if (holder != NULL) {
		holder->type = type;
		holder->addr = *addr;
	}
	return holder;
}

void holder_free(struct holder *holder)
{
	if (holder == NULL)
		return;
	if (holder->processes != NULL)
		closedir(holder->processes);
	if (holder->descriptors != NULL)
		closedir(holder->descriptors);
	free(holder);
}

/* --- the inode ------------------------------------------------------------------------------ */

static bool all_zero(const void *bytes, size_t length)
{
	const unsigned char *at = bytes;

	while (length > 0 && *at == 0) {
		at++;
		length--;
	}
	return length == 0;
}

/* Whether a socket bound to the address that hex gives, in words of host order, is in the way. */
static bool internet_conflicts(const struct holder *holder, const char *hex)
{
	const struct addr *addr = &holder->addr;
	bool four = addr_family(addr) == AF_INET;
	const void *wanted =
		four ? (const void *)&addr->u.in.sin_addr : (const void *)&addr->u.in6.sin6_addr;
	size_t length = strlen(hex) / 2;
	uint32_t words[4] = {0};

	for (size_t i = 0; i < length / sizeof(words[0]); i++)
		sscanf(hex + 8 * i, "%8x", &words[i]);
	if (all_zero(words, length) || addr_is_wildcard(addr))
		return true;
	return length == (four ? 4 : 16) && memcmp(words, wanted, length) == 0;
}

/* Looks through /proc/net/tcp or the like; false where there is none in the way. */
static bool find_internet(struct holder *holder, const char *path)
{
	bool stream = holder->type == SOCK_STREAM;
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = false;

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
		char hex[33];
		unsigned port, state;
		unsigned long inode;

		if (sscanf(line,
			    " %*u: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u "
			    "%*u %lu",
			    hex, &port, &state, &inode) != 4)
			continue;
		if (stream && state != STATE_LISTEN)
			break;
		found = port == addr_port(&holder->addr) && internet_conflicts(holder, hex);
		if (found)
			snprintf(holder->link, sizeof(holder->link), "socket:[%lu]", inode);
	}
	if (file != NULL)
		fclose(file);
	return found;
}

/* The name as /proc/net/unix has it. */
static bool find_unix(struct holder *holder)
{
	FILE *file = fopen("/proc/net/unix", "re");
	const char *path = holder->addr.u.un.sun_path;
	char line[512];
	bool found = false;

	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
		unsigned long inode;
		int at = 0;

		if (sscanf(line, "%*s %*x %*x %*x %*x %*x %lu %n", &inode, &at) != 1 || at == 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		found = path[0] != '\0' ? strcmp(line + at, path) == 0
					: line[at] == '@' && strcmp(line + at + 1, path + 1) == 0;
		if (found)
			snprintf(holder->link, sizeof(holder->link), "socket:[%lu]", inode);
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static bool find_inode(struct holder *holder)
{
	bool stream = holder->type == SOCK_STREAM;

	switch (addr_family(&holder->addr)) {
	case AF_UNIX:
		return find_unix(holder);
	case AF_INET: /* the wildcard address of IPv6 may take IPv4, too */
		return find_internet(holder, stream ? "/proc/net/tcp" : "/proc/net/udp") ||
		       find_internet(holder, stream ? "/proc/net/tcp6" : "/proc/net/udp6");
	default:
		return find_internet(holder, stream ? "/proc/net/tcp6" : "/proc/net/udp6");
	}
}

/* --- the process ---------------------------------------------------------------------------- */

/* Opens the descriptors of the next process. Returns whether there was one. */
static bool next_process(struct holder *holder)
{
	const struct dirent *entry;
	char path[32];

	entry = readdir(holder->processes);
	if (entry == NULL)
		return false;
	holder->pid = (pid_t)strtol(entry->d_name, NULL, 10);
	if (holder->pid > 0) {
		snprintf(path, sizeof(path), "/proc/%ld/fd", (long)holder->pid);
		holder->descriptors = opendir(path);
	}
	return true;
}

/* Looks at some descriptors of the process; its turn is over when all were seen. */
static void search_descriptors(struct holder *holder)
{
	char link[sizeof(holder->link)];

	for (int i = 0; i < LINKS_PER_STEP && !holder->found; i++) {
		const struct dirent *entry = readdir(holder->descriptors);
		ssize_t length;

		if (entry == NULL) {
			closedir(holder->descriptors);
			holder->descriptors = NULL;
			return;
		}
		length = readlinkat(
			dirfd(holder->descriptors), entry->d_name, link, sizeof(link) - 1);
		if (length <= 0)
			continue;
		link[length] = '\0';
		holder->found = strcmp(link, holder->link) == 0;
	}
}

bool holder_step(struct holder *holder)
{
	if (holder->found)
		return false;
	if (holder->processes == NULL) {
		if (!find_inode(holder))
			return false;
		holder->processes = opendir("/proc");
		return holder->processes != NULL;
	}
	if (holder->descriptors == NULL)
		return next_process(holder);
	search_descriptors(holder);
	return !holder->found;
}

char *holder_format(const struct holder *holder, char text[HOLDER_TEXT_SIZE])
{
	char path[32];
	char name[32] = "";
	FILE *file;

	text[0] = '\0';
	if (!holder->found)
		return text;
	if (holder->pid == getpid()) {
		snprintf(text, HOLDER_TEXT_SIZE, "superd itself");
		return text;
	}
	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)holder->pid);
	file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(name, sizeof(name), file) != NULL)
			name[strcspn(name, "\n")] = '\0';
		fclose(file);
	}
	snprintf(text, HOLDER_TEXT_SIZE, "process %ld (%s)", (long)holder->pid, name);
	return text;
}
