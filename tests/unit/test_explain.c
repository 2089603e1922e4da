/*
 * explain: the verdict on clients of a configuration that has one of everything.
 */
#include "config.h"
#include "superd/explain.h"
#include "tests/unit/conf_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MONDAY ((time_t)1704112200)   /* 12:30, UTC */
#define SATURDAY ((time_t)1704544200) /* likewise */

static const char text[] =
	"service plain { listen = 7000  exec = /bin/cat }\n"
	"service lists { listen = { 7001, unix:/run/superd-x }  exec = /bin/cat\n"
	"    acl { allow = { 10.0.0.0/8, user:1, group:0 }\n"
	"          deny = { 10.1.0.0/16,\n"
	"                   \"file:%s/list\" } }\n"
	"    limits { per-source = 5  source-prefix4 = 24  rate = 1/s } }\n"
	"service office { listen = 7002  exec = /bin/cat  acl {\n"
	"    hours = \"Mon-Fri 08:00-18:00\" } }\n"
	"service off { listen = 7003  exec = /bin/cat  enabled = no }\n"
	"service four { listen = 0.0.0.0:7004  exec = /bin/cat }\n"
	"service waits { listen = 7005  exec = /bin/cat  wait = yes  limits { time = 1h } }\n"
	"service all { listen = 7006  exec = /bin/cat\n"
	"    limits { instances = 8  on-full = refuse  load = 1.5  time = 1h  idle = 5m\n"
	"             per-source-rate = 3/10s  burst = 4  per-source = 0 } }\n";

static int set_up(void **state)
{
	struct conf_text_folder folder;
	char filled[2048];

	setenv("TZ", "UTC", 1);
	tzset();
	conf_text_begin(&folder);
	snprintf(filled, sizeof(filled), text, folder.path);
	conf_text_write(&folder, "a.conf", filled);
	conf_text_write(&folder, "list", "# bad\n10.2.0.1\nuser:2\n");
	*state = (void *)(uintptr_t)conf_text_load(&folder, "a.conf");
	conf_text_end(&folder);
	return 0;
}

static int tear_down(void **state)
{
	conf_free(*state);
	return 0;
}

struct explain_case {
	const char *service, *client;
	time_t now;
	const char *said;
};

#define REST "instances 64, on-full queue\n"

static const struct explain_case cases[] = {
	{"plain", "192.0.2.1", MONDAY,
		"accept: no rule matches and allow is empty\n"
		"source 192.0.2.1\nper-source 16 (default)\n" REST},
	{"plain", "127.0.0.2", MONDAY,
		"accept: no rule matches and allow is empty\n"
		"source 127.0.0.2\nper-source 16 (default), exempt: loopback\n" REST},
	{"plain", "2001:db8:1:2:3:4:5:6", MONDAY,
		"accept: no rule matches and allow is empty\n"
		"source 2001:db8:1:2::/64\nper-source 16 (default)\n" REST},
	{"plain", "user:1", MONDAY,
		"refuse: the service has no endpoint for unix clients (a.conf:1)\n"},
	{"lists", "10.3.4.5", MONDAY,
		"accept: acl allow 10.0.0.0/8 (a.conf:3)\n"
		"source 10.3.4.0/24\nper-source 5\nrate 1/s, burst 10\n" REST},
	{"lists", "::ffff:10.3.4.5", MONDAY,
		"accept: acl allow 10.0.0.0/8 (a.conf:3)\n"
		"source 10.3.4.0/24\nper-source 5\nrate 1/s, burst 10\n" REST},
	{"lists", "10.1.2.3", MONDAY, "refuse: acl deny 10.1.0.0/16 (a.conf:4)\n"},
	{"lists", "10.2.0.1", MONDAY, "refuse: acl deny 10.2.0.1 (FOLDER/list:2)\n"},
	{"lists", "192.0.2.1", MONDAY, "refuse: no rule matches and allow is set (a.conf:3)\n"},
	{"lists", "user:1", MONDAY,
		"accept: acl allow user:1 (a.conf:3)\n"
		"source user:1\nper-source 5\nrate 1/s, burst 10\n" REST},
	{"lists", "user:2", MONDAY, "refuse: acl deny user:2 (FOLDER/list:3)\n"},
	{"lists", "user:0", MONDAY,
		"accept: acl allow group:0 (a.conf:3)\n"
		"source user:0\nper-source 5\nrate 1/s, burst 10\n" REST},
	{"lists", "user:4711", MONDAY, "refuse: no rule matches and allow is set (a.conf:3)\n"},
	{"office", "192.0.2.1", MONDAY,
		"accept: no rule matches and allow is empty\n"
		"source 192.0.2.1\nper-source 16 (default)\n" REST},
	{"office", "192.0.2.1", SATURDAY,
		"refuse: hours Mon-Fri 08:00-18:00 (a.conf:8), and it is Sat 12:30\n"},
	{"off", "192.0.2.1", MONDAY, "refuse: the service is not enabled (a.conf:9)\n"},
	{"four", "::1", MONDAY,
		"refuse: the service has no endpoint for IPv6 clients (a.conf:10)\n"},
	{"waits", "192.0.2.1", MONDAY,
		"accept: no rule matches and allow is empty\n"
		"the program gets the socket itself: superd sees no clients\n" REST "time 1h\n"},
	{"all", "192.0.2.1", MONDAY,
		"accept: no rule matches and allow is empty\n"
		"source 192.0.2.1\nper-source-rate 3/10s, burst 4\n"
		"instances 8, on-full refuse\nload 1.5\ntime 1h\nidle 5m\n"},
};

/* Puts FOLDER in place of the folder of the test, whose name is another one each time. */
static void hide_folder(char *said)
{
	char *at = strstr(said, "(/tmp/superd-text-");
	char *slash = at == NULL ? NULL : strchr(at + strlen("(/tmp/"), '/');

	if (slash == NULL)
		return;
	memcpy(at + 1, "FOLDER", 6);
	memmove(at + 7, slash, strlen(slash) + 1);
}

static void test_cases(void **state)
{
	size_t i, length;

	for (i = 0; i < COUNT(cases); i++) {
		struct explain_client client;
		struct error error;
		FILE *stream;
		char *said;
		bool accepted;

		assert_int_equal(explain_parse(cases[i].client, &client, &error), 0);
		stream = open_memstream(&said, &length);
		assert_non_null(stream);
		assert_int_equal(explain(*state, cases[i].service, &client, cases[i].now, stream,
					 &accepted, &error),
			0);
		fclose(stream);
		hide_folder(said);
		if (strcmp(said, cases[i].said) != 0)
			fail_msg("%s %s: %s", cases[i].service, cases[i].client, said);
		assert_int_equal(accepted, strncmp(said, "accept: ", 8) == 0);
		free(said);
	}
}

static void test_no_service(void **state)
{
	struct explain_client client;
	struct error error;
	bool accepted;

	assert_int_equal(explain_parse("::1", &client, &error), 0);
	assert_int_equal(explain(*state, "plian", &client, MONDAY, stdout, &accepted, &error), -1);
	assert_string_equal(error.text, "no service 'plian' (did you mean 'plain'?)");
}

static void test_parse_bad(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
		{"", "'' is neither an address nor a unix peer such as user:bob"},
		{"10.0.0", "'10.0.0' is neither an address nor a unix peer such as user:bob"},
		{"10.0.0.0/8",
			"'10.0.0.0/8' is neither an address nor a unix peer such as user:bob"},
		{"root", "'root' is neither an address nor a unix peer such as user:bob"},
		{"user:superd-no-such-user", "no such user 'superd-no-such-user'"},
	};
	struct explain_client client;
	struct error error;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(bad); i++) {
		assert_int_equal(explain_parse(bad[i].text, &client, &error), -1);
		assert_string_equal(error.text, bad[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_no_service),
		cmocka_unit_test(test_parse_bad),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
