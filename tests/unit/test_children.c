/*
 * test_children: the child table against real processes.
 */
#include "config.h"
#include "superd/children.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

struct tally {
	size_t known;
	size_t strangers;
	int last_status;
};

static void count_reaped(
	void *owner, struct child *child, pid_t pid, int status, const struct rusage *usage)
{
	struct tally *tally = owner;

	(void)usage;
	if (child != NULL) {
		assert_int_equal(child->pid, pid);
		tally->known++;
	} else {
		tally->strangers++;
	}
	tally->last_status = status;
}

/* A process that ends with status, or waits for a signal where status is negative. */
static pid_t start_process(int status)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		while (status < 0)
			pause();
		_exit(status);
	}
	assert_true(pid > 0);
	return pid;
}

static struct child *add_process(struct children *children, int status)
{
	struct child *child = children_prepare(children);

	assert_non_null(child);
	child->pid = start_process(status);
	children_add(children, child);
	return child;
}

static void reap_until(struct children *children, struct tally *tally, size_t total)
{
	while (tally->known + tally->strangers < total) {
		siginfo_t info;

		/* waits for the next one without reaping it: no sleeping, no spinning */
		assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
		children_reap(children, 0, count_reaped, tally);
	}
}

static void test_count_is_table_size(void **state)
{
	struct children *children;
	struct tally tally = {0};

	(void)state;
	assert_int_equal(children_new(&children, NULL), 0);
	for (int i = 0; i < 500; i++)
		add_process(children, i % 3);
	assert_int_equal(children_count(children), 500);
	start_process(0); /* one that superd did not start */
	reap_until(children, &tally, 501);
	assert_int_equal(tally.known, 500);
	assert_int_equal(tally.strangers, 1);
	assert_int_equal(children_count(children), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	children_free(children);
}

static void test_find_and_signal(void **state)
{
	struct children *children;
	struct tally tally = {0};
	struct child *child;
	pid_t pid;

	(void)state;
	assert_int_equal(children_new(&children, NULL), 0);
	child = add_process(children, -1);
	pid = child->pid;
	assert_ptr_equal(children_find(children, pid), child);
	assert_null(children_find(children, pid + 1));
	children_signal(children, child, SIGKILL);
	reap_until(children, &tally, 1);
	assert_true(WIFSIGNALED(tally.last_status));
	assert_int_equal(WTERMSIG(tally.last_status), SIGKILL);
	assert_null(children_find(children, pid));
	children_free(children);
}

/* The leader obeys TERM, its grandchild does not: the group is killed before the reap. */
static void test_group_of_sentenced_leader_is_killed(void **state)
{
	struct children *children;
	struct tally tally = {0};
	struct child *child;
	int alive[2];
	char byte;

	(void)state;
	assert_int_equal(pipe(alive), 0);
	assert_int_equal(children_new(&children, NULL), 0);
	child = children_prepare(children);
	child->pid = fork();
	if (child->pid == 0) {
		setsid();
		if (fork() == 0)
			signal(SIGTERM, SIG_IGN); /* the grandchild */
		close(alive[0]);
		if (write(alive[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(alive[1]);
	assert_int_equal(read(alive[0], &byte, 1), 1); /* both are there */
	assert_int_equal(read(alive[0], &byte, 1), 1);
	children_add(children, child);
	children_signal(children, child, SIGTERM);
	reap_until(children, &tally, 1);
	assert_int_equal(read(alive[0], &byte, 1), 0); /* end of file: the grandchild is gone */
	close(alive[0]);
	children_free(children);
}

/* Whoever is named comes at once; with many alive the others wait for a call without a name. */
static void test_the_named_one_of_many(void **state)
{
	enum { CROWD = CHILDREN_MANY + 200, ENDED = 100 };
	struct child *crowd[CROWD];
	struct children *children;
	struct tally tally = {0};
	siginfo_t info;
	pid_t stranger;

	(void)state;
	assert_int_equal(children_new(&children, NULL), 0);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = add_process(children, -1);
	stranger = start_process(0);
	assert_int_equal(waitid(P_PID, (id_t)stranger, &info, WEXITED | WNOWAIT), 0);
	for (int i = CROWD - ENDED; i < CROWD; i++) { /* behind all that live */
		kill(crowd[i]->pid, SIGKILL);
		assert_int_equal(waitid(P_PID, (id_t)crowd[i]->pid, &info, WEXITED | WNOWAIT), 0);
	}
	/* one that lives, one that is not a child, one that has ended, a stranger */
	assert_false(children_reap(children, crowd[0]->pid, count_reaped, &tally));
	assert_false(children_reap(children, getpid(), count_reaped, &tally));
	assert_int_equal(tally.known + tally.strangers, 0);
	assert_false(children_reap(children, crowd[CROWD - 1]->pid, count_reaped, &tally));
	assert_int_equal(tally.known, 1);
	assert_false(children_reap(children, stranger, count_reaped, &tally));
	assert_int_equal(tally.strangers, 1);
	stranger = start_process(0);
	assert_int_equal(waitid(P_PID, (id_t)stranger, &info, WEXITED | WNOWAIT), 0);
	assert_true(children_reap(children, 0, count_reaped, &tally));
	assert_int_equal(tally.known, ENDED);
	children_signal_all(children, SIGKILL);
	reap_until(children, &tally, CROWD + 2);
	assert_int_equal(tally.strangers, 2);
	assert_int_equal(children_count(children), 0);
	children_free(children);
}

/* What a crowd needed goes back with its last one, and the table is as good as before. */
static void test_crowds_come_and_go(void **state)
{
	enum { CROWD = 1000 };
	struct child *crowd[CROWD];
	struct children *children;
	struct error error;

	(void)state;
	assert_int_equal(children_new(&children, &error), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < CROWD; i++) {
			crowd[i] = children_prepare(children);
			assert_non_null(crowd[i]);
			assert_non_null(crowd[i]->failure);
			crowd[i]->failure->code = i;
		}
		for (int i = 0; i < CROWD; i++) {
			assert_int_equal(crowd[i]->failure->code, i);
			children_cancel(children, crowd[i]);
		}
	}
	assert_int_equal(children_count(children), 0);
	children_free(children);
}

/* A walk in pieces, of which everybody it has not met yet goes between two of them. */
static void test_a_walk_ends_where_a_crowd_has_gone(void **state)
{
	enum { CROWD = 200, MET = 8 };
	struct children *children;
	struct children_cursor cursor = {0};
	struct tally tally = {0};
	struct error error;

	(void)state;
	assert_int_equal(children_new(&children, &error), 0);
	for (int i = 0; i < CROWD; i++)
		add_process(children, -1);
	for (int i = 0; i < MET; i++)
		assert_non_null(children_next(children, &cursor));
	children_signal_all(children, SIGKILL);
	reap_until(children, &tally, CROWD);
	assert_int_equal(tally.known, CROWD);
	for (int i = 0; i < CROWD; i++)
		add_process(children, -1);
	assert_null(children_next(children, &cursor));
	cursor = (struct children_cursor){0};
	for (int i = 0; i < CROWD; i++)
		assert_non_null(children_next(children, &cursor));
	assert_null(children_next(children, &cursor));
	children_signal_all(children, SIGKILL);
	reap_until(children, &tally, (size_t)2 * CROWD);
	children_free(children);
}

static void test_failure_records_are_shared(void **state)
{
	struct children *children;
	struct tally tally = {0};
	struct child *child;

	(void)state;
	assert_int_equal(children_new(&children, NULL), 0);
	child = children_prepare(children);
	child->failure->step = STEP_OK;
	child->pid = fork();
	if (child->pid == 0) {
		child->failure->code = ENOENT;
		child->failure->step = STEP_EXEC;
		_exit(127);
	}
	children_add(children, child);
	reap_until(children, &tally, 1);
	assert_int_equal(child->failure->step, STEP_EXEC);
	assert_int_equal(child->failure->code, ENOENT);
	children_free(children);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count_is_table_size),
		cmocka_unit_test(test_find_and_signal),
		cmocka_unit_test(test_group_of_sentenced_leader_is_killed),
		cmocka_unit_test(test_the_named_one_of_many),
		cmocka_unit_test(test_crowds_come_and_go),
		cmocka_unit_test(test_a_walk_ends_where_a_crowd_has_gone),
		cmocka_unit_test(test_failure_records_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
