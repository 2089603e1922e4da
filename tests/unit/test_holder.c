/*
 * test_holder: who has a socket, found by what it is bound to.
 */
#include "config.h"
#include "superd/holder.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct addr address(const char *text, uint16_t port)
{
	struct addr addr;

	if (text[0] == '/' || text[0] == '@')
		assert_int_equal(addr_set_unix(text, &addr), 0);
	else
		assert_int_equal(addr_parse_ip(text, port, &addr), 0);
	return addr;
}

/* A socket bound to text; *addr is where. */
static int bound(const char *text, int type, struct addr *addr)
{
	int fd;

	*addr = address(text, 0);
	fd = socket(addr_family(addr), type, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &addr->u.any, addr->length), 0);
	if (type != SOCK_DGRAM)
		assert_int_equal(listen(fd, 1), 0);
	if (addr_family(addr) != AF_UNIX) {
		addr->length = sizeof(addr->u);
		assert_int_equal(getsockname(fd, &addr->u.any, &addr->length), 0);
	}
	return fd;
}

static char *search(int type, const struct addr *addr, char text[HOLDER_TEXT_SIZE])
{
	struct holder *holder = holder_begin(type, addr);

	assert_non_null(holder);
	while (holder_step(holder))
		;
	holder_format(holder, text);
	holder_free(holder);
	return text;
}

struct holder_case {
	const char *bound; /* "": nothing is */
	int type;
	const char *asked; /* NULL: the same */
	bool found;
};

static const struct holder_case cases[] = {
	{"127.0.0.1", SOCK_STREAM, NULL, true},
	{"127.0.0.1", SOCK_DGRAM, NULL, true},
	{"127.0.0.1", SOCK_STREAM, "0.0.0.0", true},
	{"0.0.0.0", SOCK_STREAM, "127.0.0.1", true},
	{"127.0.0.1", SOCK_STREAM, "127.0.0.2", false},
	{"::1", SOCK_STREAM, NULL, true},
	{"::", SOCK_STREAM, "127.0.0.1", true},
	{"::1", SOCK_STREAM, "::", true},
	{"@superd-test-holder", SOCK_STREAM, NULL, true},
	{"/tmp/superd-test-holder", SOCK_SEQPACKET, NULL, true},
};

static void test_own(void **state)
{
	char text[HOLDER_TEXT_SIZE];
	struct addr addr, asked;

	(void)state;
	unlink("/tmp/superd-test-holder");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = bound(cases[i].bound, cases[i].type, &addr);

		asked = cases[i].asked == NULL ? addr : address(cases[i].asked, addr_port(&addr));
		search(cases[i].type, &asked, text);
		if (strcmp(text, cases[i].found ? "superd itself" : "") != 0)
			fail_msg("%s: '%s'", cases[i].bound, text);
		close(fd);
		assert_string_equal(search(cases[i].type, &asked, text), "");
	}
	unlink("/tmp/superd-test-holder");
}

static void test_other_process(void **state)
{
	char text[HOLDER_TEXT_SIZE];
	char wanted[HOLDER_TEXT_SIZE];
	struct addr addr;
	int fd = bound("127.0.0.1", SOCK_STREAM, &addr);
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 200; i++)
			assert_true(dup(0) >= 0); /* more than one step looks at */
		prctl(PR_SET_NAME, "some holder");
		assert_true(dup(fd) >= 0 && write(ready[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(fd);
	snprintf(wanted, sizeof(wanted), "process %ld (some holder)", (long)pid);
	assert_string_equal(search(SOCK_STREAM, &addr, text), wanted);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_string_equal(search(SOCK_STREAM, &addr, text), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_other_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
