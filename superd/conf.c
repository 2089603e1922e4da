/*
 * conf: the loader's process, seen from both sides.
 *
 * The arena is mapped before the fork at an address that both share, so what the child writes
 * the parent reads without moving a pointer.  The child tells its messages through a pipe, a
 * line each, in front of it one letter for the severity.
 */
#include "config.h"
#include "superd/conf.h"
#include "superd/conf_arena.h"
#include "superd/conf_memory.h"
#include "superd/conf_loader.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Address space, not memory: pages come as they are written. */
#define CONF_ARENA_SIZE ((size_t)256 << 20)

/* What the loader may use beyond what is mapped when it starts. */
#define CONF_LOADER_MEMORY ((rlim_t)512 << 20)
#define CONF_LOADER_CPU_S 10
#define CONF_LOADER_WALL_S 20

/* The longest line of a message, with its letter. */
#define CONF_LINE_SIZE 2048

/* The start of the arena. */
struct conf_image {
	size_t mapped; /* bytes, for munmap(2) */
	size_t used;   /* set by the loader when all is done */
	int fd;        /* of this memory; -1: it has none */
	struct conf conf;
};

struct conf_load {
	struct conf_image *image;
	enum { LOAD_WITH_RESULT, LOAD_WITHOUT } kind;
	pid_t pid;
	int fd;
	int image_fd; /* of the image; -1: it has none */
	bool killed;
	size_t problem_count;
	size_t used; /* of line */
	char line[CONF_LINE_SIZE];
};

/* --- the child ----------------------------------------------------------------------------- */

static void child_write(int fd, const char *text, size_t length)
{
	ssize_t written;

	while (length > 0) {
		written = write(fd, text, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			_exit(1); /* nobody listens any more */
		text += written;
		length -= (size_t)written;
	}
}

static void child_message_cb(void *owner, enum conf_severity severity, const char *text)
{
	int fd = *(const int *)owner;
	char line[CONF_LINE_SIZE];
	int length;

	length = snprintf(
		line, sizeof(line) - 1, "%c%s", severity == CONF_PROBLEM ? 'P' : 'W', text);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length] = '\n';
	child_write(fd, line, (size_t)length + 1);
}

static void child_full_cb(void *owner) __attribute__((noreturn));

static void child_full_cb(void *owner)
{
	child_message_cb(owner, CONF_PROBLEM, "the configuration needs too much memory");
	_exit(1);
}

/* Address space in use, in bytes (/proc/self/statm); 0 where it cannot be told. */
static rlim_t child_mapped(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (statm == NULL)
		return 0;
	if (fscanf(statm, "%lu", &pages) != 1)
		pages = 0;
	fclose(statm);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Lowers the soft limit only: the hard one is what superd's own programs are held against. */
static void child_limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) != 0 || limit.rlim_cur <= value)
		return;
	limit.rlim_cur = value;
	setrlimit(resource, &limit);
}

/* A process that does one thing, is alone with its pipe and cannot outlive its purpose. */
static void child_prepare(int *fd, pid_t parent)
{
	sigset_t none;
	rlim_t mapped;
	int number;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (number = 1; number < NSIG; number++) {
		if (number != SIGKILL && number != SIGSTOP)
			signal(number, SIG_DFL);
	}
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* What superd holds at 3 is of no concern here. */
	if (*fd != 3 && dup2(*fd, 3) != 3)
		_exit(1);
	*fd = 3;
	close_range(4, ~0U, 0);
	mapped = child_mapped();
	if (mapped > 0)
		child_limit(RLIMIT_AS, mapped + CONF_LOADER_MEMORY);
	child_limit(RLIMIT_CPU, CONF_LOADER_CPU_S);
	alarm(CONF_LOADER_WALL_S);
}

/*
 * The effective configuration to descriptor 1, past stdio, whose buffers still hold what the
 * parent has not written.  A reader that has seen enough is no problem.
 */
static int child_print(const char *text, size_t length, int fd)
{
	char why[128];
	ssize_t written;

	while (length > 0) {
		written = write(STDOUT_FILENO, text, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EPIPE)
			return 0;
		if (written < 0) {
			snprintf(why, sizeof(why), "cannot print the configuration: %m");
			child_message_cb(&fd, CONF_PROBLEM, why);
			return 1;
		}
		text += written;
		length -= (size_t)written;
	}
	return 0;
}

static void child_run(const struct conf_request *request, struct conf_image *image, int fd,
	pid_t parent) __attribute__((noreturn));

static void child_run(
	const struct conf_request *request, struct conf_image *image, int fd, pid_t parent)
{
	struct conf_arena arena = {.base = (char *)image,
		.size = CONF_ARENA_SIZE,
		.used = sizeof(*image),
		.full_cb = child_full_cb,
		.owner = &fd};
	struct conf_loader loader = {.request = request,
		.arena = &arena,
		.conf = &image->conf,
		.message_cb = child_message_cb,
		.full_cb = child_full_cb,
		.owner = &fd};
	char *text = NULL;
	size_t length = 0;
	int status;

	child_prepare(&fd, parent);
	if (request->mode == CONF_PRINT)
		loader.print = open_memstream(&text, &length);
	status = conf_loader_run(&loader) == 0 ? 0 : 1;
	if (loader.print != NULL && fclose(loader.print) == 0 && status == 0)
		status = child_print(text, length, fd);

	image->used = arena.used;
	_exit(status);
}

/* --- the parent ---------------------------------------------------------------------------- */

static void load_free(struct conf_load *load)
{
	if (load->image != NULL)
		munmap(load->image, CONF_ARENA_SIZE);
	if (load->image_fd >= 0)
		close(load->image_fd);
	if (load->fd >= 0)
		close(load->fd);
	free(load);
}

static int load_map(struct conf_load *load, struct error *error)
{
	load->image_fd = conf_memory_open(CONF_ARENA_SIZE);
	load->image = conf_memory_map(CONF_ARENA_SIZE, load->image_fd);
	if (load->image == NULL)
		return error_set(error, errno, "cannot map memory for the configuration");
	return 0;
}

static int load_fork(
	struct conf_load *load, const struct conf_request *request, struct error *error)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set(error, errno, "cannot make a pipe to the configuration loader");
	load->pid = fork();
	if (load->pid < 0) {
		error_set(error, errno, "cannot start the configuration loader");
		close(ends[0]);
		close(ends[1]);
		return -1;
	}
	if (load->pid == 0)
		child_run(request, load->image, ends[1], parent);
	close(ends[1]);
	load->fd = descriptor_raise(ends[0]);
	fcntl(load->fd, F_SETFL, O_NONBLOCK);
	return 0;
}

int conf_load_begin(
	const struct conf_request *request, struct conf_load **load, struct error *error)
{
	struct conf_load *new = calloc(1, sizeof(*new));

	if (new == NULL)
		return error_set(error, ENOMEM, "cannot load the configuration");
	new->fd = -1;
	new->image_fd = -1;
	new->kind = request->mode == CONF_BUILD ? LOAD_WITH_RESULT : LOAD_WITHOUT;
	if (load_map(new, error) != 0 || load_fork(new, request, error) != 0) {
		load_free(new);
		return -1;
	}
	*load = new;
	return 0;
}

int conf_load_fd(const struct conf_load *load)
{
	return load->fd;
}

pid_t conf_load_pid(const struct conf_load *load)
{
	return load->pid;
}

/* Tells every complete line of what has come; a line that is too long is cut. */
static void load_tell(struct conf_load *load,
	void (*message_cb)(void *owner, enum conf_severity severity, const char *text), void *owner)
{
	enum conf_severity severity;
	size_t length;
	char *end;

	for (;;) {
		end = memchr(load->line, '\n', load->used);
		if (end == NULL && load->used < sizeof(load->line) - 1)
			return;
		if (end == NULL)
			end = load->line + load->used - 1;
		*end = '\0';
		severity = load->line[0] == 'W' ? CONF_WARNING : CONF_PROBLEM;
		load->problem_count += severity == CONF_PROBLEM;
		if (end > load->line)
			message_cb(owner, severity, load->line + 1);
		length = (size_t)(end - load->line) + 1;
		memmove(load->line, load->line + length, load->used - length);
		load->used -= length;
	}
}

int conf_load_read(struct conf_load *load,
	void (*message_cb)(void *owner, enum conf_severity severity, const char *text), void *owner)
{
	ssize_t count;

	for (;;) {
		count = read(
			load->fd, load->line + load->used, sizeof(load->line) - 1 - load->used);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return errno == EAGAIN ? 1 : 0;
		if (count == 0)
			return 0;
		load->used += (size_t)count;
		load_tell(load, message_cb, owner);
	}
}

void conf_load_kill(struct conf_load *load)
{
	load->killed = true;
	kill(load->pid, SIGKILL);
}

/* What became of a loader that did not say what was wrong. */
static int load_failure(const struct conf_load *load, int wait_status, struct error *error)
{
	int number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	const char *name;

	if (load->killed || number == SIGALRM)
		return error_set(error, 0, "the configuration loader took longer than %d s",
			CONF_LOADER_WALL_S);
	if (number == SIGXCPU)
		return error_set(error, 0, "the configuration loader ran out of CPU time");
	if (number != 0) {
		name = sigabbrev_np(number);
		return error_set(error, 0, "the configuration loader was killed by SIG%s",
			name == NULL ? "?" : name);
	}
	if (load->problem_count > 0)
		return error_set(error, 0, "%s", "");
	return error_set(error, 0, "the configuration loader failed with exit status %d",
		WEXITSTATUS(wait_status));
}

/* Gives back what the loader did not use and makes the rest read-only. */
static int load_seal(struct conf_load *load, struct error *error)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct conf_image *image = load->image;
	size_t used = image->used;

	if (used < sizeof(*image) || used > CONF_ARENA_SIZE)
		return error_set(error, 0, "the configuration loader left no configuration");
	used = (used + page - 1) / page * page;
	image->mapped = used;
	image->fd = load->image_fd;
	if (mprotect(image, used, PROT_READ) != 0)
		return error_set(error, errno, "cannot protect the configuration");
	if (used < CONF_ARENA_SIZE)
		munmap((char *)image + used, CONF_ARENA_SIZE - used);
	load->image = NULL;
	load->image_fd = -1;
	return 0;
}

int conf_load_end(
	struct conf_load *load, int wait_status, const struct conf **conf, struct error *error)
{
	struct conf_image *image = load->image;
	int rc = -1;

	*conf = NULL;
	if (load->killed || !WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0 ||
		load->problem_count > 0) {
		load_failure(load, wait_status, error);
	} else if (load->kind == LOAD_WITHOUT) {
		rc = 0;
	} else {
		rc = load_seal(load, error);
		if (rc == 0)
			*conf = &image->conf;
	}
	load_free(load);
	return rc;
}

/* Milliseconds since an arbitrary start. */
static int64_t load_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int conf_load(const struct conf_request *request,
	void (*message_cb)(void *owner, enum conf_severity severity, const char *text), void *owner,
	const struct conf **conf, struct error *error)
{
	int64_t left, deadline = load_now_ms() + CONF_LOADER_WALL_S * 1000;
	struct conf_load *load;
	struct pollfd poll_fd;
	int status;

	*conf = NULL;
	if (conf_load_begin(request, &load, error) != 0)
		return -1;
	poll_fd = (struct pollfd){.fd = load->fd, .events = POLLIN};
	while (conf_load_read(load, message_cb, owner) > 0) {
		left = deadline - load_now_ms();
		if (left > 0) {
			poll(&poll_fd, 1, (int)left);
		} else {
			conf_load_kill(load);
			break;
		}
	}
	while (waitpid(load->pid, &status, 0) < 0) {
		if (errno == EINTR)
			continue;
		/* Somebody else reaped it: how it ended cannot be known. */
		status = W_EXITCODE(1, 0);
		break;
	}
	return conf_load_end(load, status, conf, error);
}

static struct conf_image *image_of(const struct conf *conf)
{
	return (struct conf_image *)((char *)(uintptr_t)conf - offsetof(struct conf_image, conf));
}

void conf_export(const struct conf *conf, struct conf_image_place *place)
{
	const struct conf_image *image = image_of(conf);

	*place = (struct conf_image_place){.fd = image->fd,
		.address = (int64_t)(uintptr_t)image,
		.size = (int64_t)image->mapped};
}

int conf_import(const struct conf_image_place *place, const struct conf **conf, struct error *error)
{
	const struct conf_image *image =
		conf_memory_find(place->fd, (uintptr_t)place->address, (size_t)place->size);

	if (image == NULL)
		return error_set(error, errno, "the configuration's memory");
	if (place->size < (int64_t)sizeof(*image) || image->mapped != (size_t)place->size ||
		image->fd != place->fd) {
		munmap((void *)(uintptr_t)image, (size_t)place->size);
		return error_set(error, 0, "the configuration's memory is not what it was");
	}
	*conf = &image->conf;
	return 0;
}

void conf_free(const struct conf *conf)
{
	struct conf_image *image;

	if (conf == NULL)
		return;
	image = image_of(conf);
	if (image->fd >= 0)
		close(image->fd);
	munmap(image, image->mapped);
}
