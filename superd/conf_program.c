/*
 * conf_program: asks the kernel rather than reading mode bits, so that access lists, search
 * permission on the way and noexec mounts count.
 */
#include "config.h"
#include "superd/conf_program.h"
#include "superd/conf_suggest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A script's interpreter may be a script; the kernel follows that far. */
#define INTERPRETER_DEPTH 4

/* What the kernel reads of a script's first line. */
#define INTERPRETER_SIZE 256

static void program_return(const struct conf_ident *ident)
{
	/* A failure leaves less access: checks fail, nothing is let through. */
	if (seteuid(ident->uid) != 0 || setegid(ident->gid) != 0 ||
		setgroups(ident->own_group_count, ident->own_groups) != 0)
		_exit(1);
}

/* Becomes the program's user for file access, as far as superd can; 0 or -1. */
static int program_become(const struct conf_ident *ident, const struct creds *creds)
{
	if (setgroups(creds->group_count, creds->groups) != 0)
		return -1;
	if (setegid(creds->gid) == 0 && seteuid(creds->uid) == 0)
		return 0;
	program_return(ident);
	return -1;
}

/* The folder root as the kernel's chroot finds it, that is as superd itself; -1 with errno. */
static int program_open_root(const char *root)
{
	return open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/*
 * O_PATH on path; inside the folder root_fd where there is one (-1: none), symbolic links do not
 * lead out of it.
 */
static int program_open(int root_fd, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int fd;

	if (root_fd < 0)
		return open(path, O_PATH | O_CLOEXEC);
	fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) /* Linux before 5.6 */
		fd = openat(root_fd, path + strspn(path, "/"), O_PATH | O_CLOEXEC);
	return fd;
}

/* " in root '/srv'" */
static const char *program_where(const struct conf_program *program, char *text, size_t size)
{
	if (program->root == NULL)
		return "";
	snprintf(text, size, " in root '%.100s'", program->root);
	return text;
}

/* What the failure to open path means. */
static int program_missing(
	const struct conf_program *program, const char *path, int code, struct error *error)
{
	size_t blank = strcspn(path, " \t");
	char where[128];

	program_where(program, where, sizeof(where));
	if (program->root == NULL)
		where[0] = '\0';
	if (code == EACCES)
		return error_set(error, 0, "user %u may not reach '%.120s'%s",
			(unsigned)program->creds->uid, path, where);
	if (code != ENOENT && code != ENOTDIR)
		return error_set(error, code, "program '%.120s'%s", path, where);
	if (path[blank] != '\0')
		return error_set(error, 0,
			"no program '%.120s'%s (write arguments as a list: exec = { \"%.*s\", ... })",
			path, where, (int)(blank < 100 ? blank : 100), path);
	return error_set(error, 0, "no program '%.120s'%s", path, where);
}

/* Looks at the program fd under the identity that will execute it. */
static int program_check_file(
	const struct conf_program *program, const char *path, int fd, struct error *error)
{
	struct stat status;
	char link[64];

	if (fstat(fd, &status) != 0)
		return error_set(error, errno, "program '%.120s'", path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, 0, "'%.120s' is not a regular file", path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (faccessat(AT_FDCWD, link, X_OK, AT_EACCESS) != 0)
		return error_set(error, 0, "user %u may not execute '%.120s' (mode %04o)",
			(unsigned)program->creds->uid, path, (unsigned)(status.st_mode & 07777));
	return 0;
}

/* The interpreter a script names, or "" for other programs and what cannot be read. */
static void program_interpreter(int fd, char interpreter[INTERPRETER_SIZE])
{
	char link[64], line[INTERPRETER_SIZE] = "";
	ssize_t length;
	size_t start, end;
	int readable;

	interpreter[0] = '\0';
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	readable = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (readable < 0)
		return;
	length = read(readable, line, sizeof(line) - 1);
	close(readable);
	if (length < 2 || line[0] != '#' || line[1] != '!')
		return;
	start = 2 + strspn(line + 2, " \t");
	end = start + strcspn(line + start, " \t\n");
	memcpy(interpreter, line + start, end - start);
	interpreter[end - start] = '\0';
}

/* One file: the program itself, or with script set the interpreter of that. */
static int program_check_one(const struct conf_ident *ident, const struct conf_program *program,
	const char *path, char interpreter[INTERPRETER_SIZE], struct error *error)
{
	bool change = ident->root && program->creds->change && program->creds->uid != 0;
	int root_fd = -1;
	int fd, code, rc = -1;

	if (program->root != NULL && (root_fd = program_open_root(program->root)) < 0)
		return program_missing(program, path, errno, error);
	if (change && program_become(ident, program->creds) != 0)
		change = false; /* no capability for it: superd's own access has to do */
	fd = program_open(root_fd, path);
	code = errno;
	if (fd >= 0)
		rc = program_check_file(program, path, fd, error);
	if (change)
		program_return(ident);
	if (root_fd >= 0)
		close(root_fd);
	if (fd < 0)
		return program_missing(program, path, code, error);
	if (rc == 0)
		program_interpreter(fd, interpreter);
	close(fd);
	return rc;
}

int conf_program_check(
	const struct conf_ident *ident, const struct conf_program *program, struct error *error)
{
	char path[INTERPRETER_SIZE], interpreter[INTERPRETER_SIZE] = "";
	struct error why;
	int depth;

	if (program_check_one(ident, program, program->path, interpreter, error) != 0)
		return -1;
	/* A relative interpreter depends on the working directory; only the kernel knows. */
	for (depth = 0; depth < INTERPRETER_DEPTH && interpreter[0] == '/'; depth++) {
		memcpy(path, interpreter, sizeof(path));
		interpreter[0] = '\0';
		if (program_check_one(ident, program, path, interpreter, &why) != 0)
			return error_set(error, 0, "the interpreter of '%.120s': %.200s",
				program->path, why.text);
	}
	return 0;
}

/* The names in a folder that are near to a misspelt one. */
static void program_suggest(
	struct conf_pool *pool, const char *folder, struct conf_suggest *suggest)
{
	const struct dirent *entry;
	DIR *directory = opendir(folder);

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] != '.')
			conf_suggest_offer(suggest,
				conf_pool_string(pool, entry->d_name, strlen(entry->d_name)));
	}
	closedir(directory);
}

const char *conf_program_bundled(struct conf_pool *pool, const char *directory, const char *root,
	const char *name, struct error *error)
{
	const char *path = conf_pool_format(pool, "%s/%s", directory, name);
	struct conf_suggest suggest = conf_suggest_begin(name);
	char hint[CONF_SUGGEST_SIZE];
	int root_fd = root == NULL ? -1 : program_open_root(root);
	int fd = program_open(root_fd, path);

	if (root_fd >= 0)
		close(root_fd);
	if (fd >= 0) {
		close(fd);
		return path;
	}
	program_suggest(pool,
		root == NULL ? directory : conf_pool_format(pool, "%s/%s", root, directory),
		&suggest);
	error_set(error, 0, "no bundled service '%.80s' in %s%.200s%s", name,
		root == NULL ? "" : "root, ", directory, conf_suggest_text(&suggest, hint));
	return NULL;
}
