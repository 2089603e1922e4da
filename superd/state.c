/*
 * state: the tables of what is handed over, the memfd, and what must hold besides.
 */
#include "config.h"
#include "superd/state.h"

#include "superd/state_shape.h"
#include "superd/step.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX ((off_t)1 << 30)
#define PATH_BYTES 4096
#define ENDPOINT_BYTES 512
#define NAME_BYTES 64
#define ROWS_MAX (1 << 22)
#define LATEST_NS (INT64_MAX / 4)
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define COUNTS (sizeof(struct report_counts) / sizeof(uint64_t))

_Static_assert(COUNTS <= 256, "counts fit in one member");

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* --- the tables ----------------------------------------------------------------------------- */

#define FIELD(type, member, kind, min, max) \
	{ \
#member, kind, offsetof(struct type, member), min, max, 0, NULL \
	}
#define NUMBER(type, member, min, max) FIELD(type, member, STATE_INT, min, max)
#define TIME(type, member) FIELD(type, member, STATE_LONG, 0, LATEST_NS)
#define FLAG(type, member) FIELD(type, member, STATE_BOOL, 0, 0)
#define DESCRIPTOR(type, member) FIELD(type, member, STATE_INT, -1, INT_MAX)
#define LIST(type, member, count, each) \
	{ \
#member, STATE_LIST, offsetof(struct type, member), 0, ROWS_MAX, \
			offsetof(struct type, count), each \
	}

static const struct state_field listener_fields[] = {
	FIELD(state_listener, endpoint, STATE_TEXT, 0, ENDPOINT_BYTES),
	NUMBER(state_listener, fd, 3, INT_MAX),
	FLAG(state_listener, lent),
	FIELD(state_listener, digest, STATE_LONG, INT64_MIN, INT64_MAX),
	NUMBER(state_listener, holder, 0, INT_MAX),
	FIELD(state_listener, path_device, STATE_LONG, INT64_MIN, INT64_MAX),
	FIELD(state_listener, path_inode, STATE_LONG, INT64_MIN, INT64_MAX),
};

static const struct state_shape listener_shape = {
	sizeof(struct state_listener), true, LENGTH(listener_fields), listener_fields};

static const struct state_field record_fields[] = {
	FIELD(limit_record, words, STATE_HALFS, 0, LIMIT_RECORD_WORDS),
	FIELD(limit_record, full_ns, STATE_LONG, 0, INT64_MAX),
};

static const struct state_shape record_shape = {
	sizeof(struct limit_record), true, LENGTH(record_fields), record_fields};

static const struct state_field service_fields[] = {
	FIELD(state_service, name, STATE_TEXT, 1, NAME_BYTES),
	FLAG(state_service, retired),
	FLAG(state_service, paused),
	FLAG(state_service, draining),
	NUMBER(state_service, failures, 0, INT_MAX),
	TIME(state_service, throttle_ns),
	TIME(state_service, throttle_due_ns),
	FIELD(state_service, counts, STATE_WORDS, 0, COUNTS),
	TIME(state_service, sources.service_interval_ns),
	TIME(state_service, sources.source_interval_ns),
	TIME(state_service, sources.service_ahead_ns),
	TIME(state_service, sources.source_ahead_ns),
	NUMBER(state_service, sources.source_prefix4, 0, 32),
	NUMBER(state_service, sources.source_prefix6, 0, 128),
	FIELD(state_service, sources.full_ns, STATE_LONG, 0, INT64_MAX),
	LIST(state_service, sources.records, sources.record_count, &record_shape),
	DESCRIPTOR(state_service, errpipe.read_fd),
	DESCRIPTOR(state_service, errpipe.write_fd),
	FIELD(state_service, errpipe.dropped, STATE_LONG, 0, INT64_MAX),
	{"errpipe.line", STATE_BLOCK, offsetof(struct state_service, errpipe.line), 0,
		ERRPIPE_LINE_MAX, offsetof(struct state_service, errpipe.used), NULL},
};

static const struct state_shape service_shape = {
	sizeof(struct state_service), true, LENGTH(service_fields), service_fields};

static const struct state_field child_fields[] = {
	NUMBER(state_child, pid, 2, INT_MAX),
	NUMBER(state_child, service, 0, ROWS_MAX),
	FIELD(state_child, id, STATE_LONG, 0, INT64_MAX),
	TIME(state_child, started_ns),
	FLAG(state_child, waits),
	FIELD(state_child, group, STATE_TEXT, 0, ENDPOINT_BYTES),
	FIELD(state_child, peer, STATE_PEER, 0, 0),
	FIELD(state_child, local, STATE_PEER, 0, 0),
	FIELD(state_child, cookie, STATE_LONG, INT64_MIN, INT64_MAX),
	TIME(state_child, active_ns),
	FIELD(state_child, ends_ns, STATE_LONG, 0, INT64_MAX),
	TIME(state_child, idle_ns),
	NUMBER(state_child, bound, 0, INT_MAX),
	TIME(state_child, due_ns),
	FIELD(state_child, mark_ns, STATE_LONG, INT64_MIN, INT64_MAX),
	FLAG(state_child, overdue),
	FLAG(state_child, stuck),
	FLAG(state_child, sentenced),
	NUMBER(state_child, failed_step, 0, STEP_EXEC),
	NUMBER(state_child, failed_code, 0, INT_MAX),
	TIME(state_child, ready_ns),
};

static const struct state_shape child_shape = {
	sizeof(struct state_child), true, LENGTH(child_fields), child_fields};

static const struct state_field state_fields[] = {
	NUMBER(state, version, STATE_VERSION, STATE_VERSION),
	NUMBER(state, pid, 1, INT_MAX),
	FIELD(state, exe, STATE_BYTES, 0, PATH_BYTES),
	FIELD(state, directory, STATE_BYTES, 0, PATH_BYTES),
	TIME(state, left_ns),
	TIME(state, started_ns),
	FIELD(state, generation, STATE_LONG, 0, INT64_MAX),
	FIELD(state, loaded_wall_ns, STATE_LONG, INT64_MIN, INT64_MAX),
	NUMBER(state, log_level, -1, LEVEL_DEBUG),
	FIELD(state, last_id, STATE_LONG, 0, INT64_MAX),
	FIELD(state, open_files_soft, STATE_LONG, -1, INT64_MAX),
	FIELD(state, open_files_hard, STATE_LONG, -1, INT64_MAX),
	FIELD(state, pid_path, STATE_BYTES, 0, PATH_BYTES),
	DESCRIPTOR(state, pid_fd),
	FIELD(state, control_path, STATE_BYTES, 0, PATH_BYTES),
	DESCRIPTOR(state, control_fd),
	DESCRIPTOR(state, asker_fd),
	DESCRIPTOR(state, conf.fd),
	FIELD(state, conf.address, STATE_LONG, INT64_MIN, INT64_MAX),
	FIELD(state, conf.size, STATE_LONG, 0, INT64_MAX),
	LIST(state, listeners, listener_count, &listener_shape),
	LIST(state, services, service_count, &service_shape),
	LIST(state, children, child_count, &child_shape),
};

static const struct state_shape state_shape = {
	sizeof(struct state), false, LENGTH(state_fields), state_fields};

void state_free(struct state *state)
{
	state_shape_free(&state_shape, state);
	*state = (struct state){0};
}

/* --- what must hold ------------------------------------------------------------------------- */

int state_each_fd(const struct state *state, int (*fd_cb)(void *owner, int fd), void *owner)
{
	const int own[] = {state->pid_fd, state->control_fd, state->asker_fd, state->conf.fd};
	int result = 0;

	for (size_t i = 0; result == 0 && i < LENGTH(own); i++)
		result = own[i] >= 0 ? fd_cb(owner, own[i]) : 0;

	for (size_t i = 0; result == 0 && i < state->listener_count; i++)
		result = fd_cb(owner, state->listeners[i].fd);
	for (size_t i = 0; result == 0 && i < state->service_count; i++) {
		const struct errpipe_snapshot *errpipe = &state->services[i].errpipe;

		if (errpipe->read_fd < 0)
			continue;
		result = fd_cb(owner, errpipe->read_fd);
		if (result == 0)
			result = fd_cb(owner, errpipe->write_fd);
	}
	return result;
}

/* Numbers that must differ. */
struct number_list {
	size_t count;
	int *numbers;
};

static int list_add(void *owner, int number)
{
	struct number_list *list = owner;

	list->numbers[list->count++] = number;
	return number > STDERR_FILENO ? 0 : -1;
}

static int number_compare(const void *a, const void *b)
{
	int one = *(const int *)a;
	int other = *(const int *)b;

	return (one > other) - (one < other);
}

static bool list_is_distinct(struct number_list *list)
{
	if (list->count > 0)
		qsort(list->numbers, list->count, sizeof(int), number_compare);
	for (size_t i = 1; i < list->count; i++) {
		if (list->numbers[i - 1] == list->numbers[i])
			return false;
	}
	return true;
}

static int state_check_numbers(const struct state *state, struct error *error)
{
	size_t room = state->listener_count + 2 * state->service_count + state->child_count + 4;
	struct number_list list = {0, calloc(room, sizeof(int))};
	int result = 0;

	if (list.numbers == NULL)
		return error_set(error, ENOMEM, "the state");
	if (state_each_fd(state, list_add, &list) != 0 || !list_is_distinct(&list))
		result = error_set(error, 0, "the state's descriptors make no sense");
	list.count = 0;
	for (size_t i = 0; i < state->child_count; i++)
		list.numbers[list.count++] = state->children[i].pid;
	if (result == 0 && !list_is_distinct(&list))
		result = error_set(error, 0, "the state's processes make no sense");
	free(list.numbers);
	return result;
}

/* What the ranges of single members do not say. */
static int state_check(const struct state *state, struct error *error)
{
	for (size_t i = 0; i < state->service_count; i++) {
		const struct state_service *service = &state->services[i];

		if (service->name[0] == '\0')
			return error_set(error, 0, "the state has a service without a name");
		if ((service->errpipe.read_fd < 0) != (service->errpipe.write_fd < 0))
			return error_set(error, 0, "the state has half a pipe");
	}
	for (size_t i = 0; i < state->child_count; i++) {
		if ((size_t)state->children[i].service >= state->service_count)
			return error_set(error, 0, "the state has a program without a service");
	}
	return state_check_numbers(state, error);
}

/* --- text and memfd ------------------------------------------------------------------------- */

/* Another version may have other members: it is looked for before them. */
static int state_check_version(const json_t *json, struct error *error)
{
	const json_t *version = json_object_get(json, "version");

	if (!json_is_integer(version))
		return error_set(error, 0, "this is not the state of a superd");
	if (json_integer_value(version) != STATE_VERSION)
		return error_set(error, 0,
			"the state is of version %lld, and this is superd " PACKAGE_VERSION
			" with version %d",
			(long long)json_integer_value(version), STATE_VERSION);
	return 0;
}

int state_decode(const char *text, size_t length, struct state *state, struct error *error)
{
	json_error_t where;
	json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	int result;

	*state = (struct state){0};
	if (json == NULL)
		return error_set(error, 0, "the state is no JSON: %s", where.text);
	result = state_check_version(json, error);
	if (result == 0)
		result = state_shape_decode(&state_shape, json, state, error);
	if (result == 0)
		result = state_check(state, error);
	json_decref(json);
	return result;
}

char *state_encode(const struct state *state, struct error *error)
{
	json_t *json = state_shape_encode(&state_shape, state, error);
	char *text;

	if (json == NULL)
		return NULL;
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text == NULL)
		error_set(error, ENOMEM, "the state");
	return text;
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, text, length);

		if (written < 0)
			return -1;
		text += written;
		length -= (size_t)written;
	}
	return 0;
}

int state_store(const struct state *state, struct error *error)
{
	char *text = state_encode(state, error);
	int fd;

	if (text == NULL)
		return -1;
	fd = memfd_create("superd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write_all(fd, text, strlen(text)) != 0 ||
		fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
		error_set(error, errno, "the state's memory");
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	free(text);
	return fd;
}

int state_load(int fd, struct state *state, struct error *error)
{
	struct stat status;
	size_t length;
	void *text;
	int result;

	*state = (struct state){0};
	if (fcntl(fd, F_GET_SEALS) != SEALS || fstat(fd, &status) != 0 || status.st_size <= 0 ||
		status.st_size > TEXT_MAX)
		return error_set(error, 0, "descriptor %d holds no state of a superd", fd);
	length = (size_t)status.st_size;
	text = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return error_set(error, errno, "the state's memory");
	result = state_decode(text, length, state, error);
	munmap(text, length);
	return result;
}
