/*
 * test_spawn: both implementations, from a complete request to an answer.
 */
#include "config.h"
#include "superd/spawn.h"

#include "superd/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

struct stand {
	struct spawn *spawn;
	struct step_failure *failure;
	int ends[2]; /* of a socket pair: ours, the program's */
	struct conf_service conf;
};

static const char *const no_strings[] = {NULL};

static void never_stuck(void *pool_owner, void *owner, pid_t pid)
{
	(void)pool_owner;
	(void)owner;
	(void)pid;
	fail();
}

static void stand_open(struct stand *stand, enum spawn_kind kind)
{
	struct rlimit open_files;
	const char *note;

	memset(stand, 0, sizeof(*stand));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &open_files), 0);
	assert_int_equal(spawn_new(kind, &open_files, &stand->spawn, &note, NULL), 0);
	stand->failure = mmap(NULL, sizeof(*stand->failure), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(stand->failure, MAP_FAILED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stand->ends), 0);
	stand->conf.name = "test";
	stand->conf.directory = "/";
	stand->conf.umask = 022;
	stand->conf.env = no_strings;
}

static void stand_close(struct stand *stand)
{
	close(stand->ends[0]);
	munmap(stand->failure, sizeof(*stand->failure));
	spawn_free(stand->spawn);
}

static pid_t stand_start(struct stand *stand)
{
	const struct peer none = {0};
	struct spawn_slot *slot = spawn_slot_take(stand->spawn, stand);

	assert_non_null(slot);
	slot->fd = stand->ends[1];
	slot->close_fd = stand->ends[1];
	slot->request = (struct spawn_request){.conf = &stand->conf,
		.fd_count = 1,
		.fds = &slot->fd,
		.stderr_fd = -1,
		.failure = stand->failure};
	assert_int_equal(childenv_build(&slot->env, &(struct childenv_facts){.conf = &stand->conf,
							    .type = SOCK_STREAM,
							    .family = AF_UNIX,
							    .peer = &none,
							    .local = &none}),
		0);
	return spawn_start(stand->spawn, slot, clock_now_ns());
}

/* Until every slot is free again; a deadline keeps a hang from lasting. */
static void stand_collect(struct stand *stand)
{
	for (int i = 0; i < 10000 && spawn_busy(stand->spawn) > 0; i++) {
		poll(NULL, 0, 1);
		spawn_collect(stand->spawn, clock_now_ns(), never_stuck, NULL);
	}
	assert_int_equal(spawn_busy(stand->spawn), 0);
}

static void check_program_talks(enum spawn_kind kind)
{
	static const char *const argv[] = {"cat", NULL};
	struct stand stand;
	char data[16];
	int status;
	pid_t pid;

	stand_open(&stand, kind);
	assert_int_equal(spawn_kind(stand.spawn), kind);
	stand.conf.path = "/bin/cat";
	stand.conf.argv = argv;
	pid = stand_start(&stand);
	assert_true(pid > 0);
	stand_collect(&stand);
	assert_int_equal(fcntl(stand.ends[1], F_GETFD), -1); /* superd's copy is closed */
	assert_int_equal(write(stand.ends[0], "hello", 5), 5);
	assert_int_equal(read(stand.ends[0], data, sizeof(data)), 5);
	assert_memory_equal(data, "hello", 5);
	shutdown(stand.ends[0], SHUT_WR);
	assert_int_equal(read(stand.ends[0], data, sizeof(data)), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(stand.failure->step, STEP_OK);
	stand_close(&stand);
}

static void check_failed_step(enum spawn_kind kind)
{
	static const char *const argv[] = {"x", NULL};
	struct stand stand;
	char data[16];
	pid_t pid;

	stand_open(&stand, kind);
	stand.conf.path = "/no/such/program";
	stand.conf.argv = argv;
	assert_int_equal(write(stand.ends[0], "unread", 6), 6);
	pid = stand_start(&stand);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(stand.failure->step, STEP_EXEC);
	assert_int_equal(stand.failure->code, ENOENT);
	stand_collect(&stand);
	assert_int_equal(read(stand.ends[0], data, sizeof(data)), 0); /* orderly: no reset */
	stand_close(&stand);
}

static void check_quota(enum spawn_kind kind)
{
	struct spawn_slot *slots[SPAWN_SLOTS];
	struct stand stand;
	int owners[4];

	stand_open(&stand, kind);
	for (size_t i = 0; i < SPAWN_SLOTS; i++) {
		slots[i] = spawn_slot_take(stand.spawn, &owners[i / SPAWN_OWNER_SLOTS]);
		assert_non_null(slots[i]);
		if (i % SPAWN_OWNER_SLOTS == SPAWN_OWNER_SLOTS - 1)
			assert_null(spawn_slot_take(stand.spawn, &owners[i / SPAWN_OWNER_SLOTS]));
	}
	assert_null(spawn_slot_take(stand.spawn, &stand));
	for (size_t i = 0; i < SPAWN_SLOTS; i++)
		spawn_slot_cancel(stand.spawn, slots[i]);
	assert_int_equal(spawn_busy(stand.spawn), 0);
	close(stand.ends[1]);
	stand_close(&stand);
}

static void test_vm(void **state)
{
	const char *note;
	struct rlimit open_files = {1024, 1024};
	struct spawn *spawn;
	enum spawn_kind kind;

	(void)state;
	assert_int_equal(spawn_new(SPAWN_VM, &open_files, &spawn, &note, NULL), 0);
	kind = spawn_kind(spawn);
	spawn_free(spawn);
	if (getenv("SUPERD_VALGRIND") != NULL)
		note = "valgrind cannot follow clone(2) with shared memory";
	else if (kind == SPAWN_VM)
		note = NULL;
	if (note != NULL) {
		print_message("skip: %s\n", note);
		skip();
	}
	check_program_talks(SPAWN_VM);
	check_failed_step(SPAWN_VM);
	check_quota(SPAWN_VM);
}

static void test_fork(void **state)
{
	(void)state;
	check_program_talks(SPAWN_FORK);
	check_failed_step(SPAWN_FORK);
	check_quota(SPAWN_FORK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vm),
		cmocka_unit_test(test_fork),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
