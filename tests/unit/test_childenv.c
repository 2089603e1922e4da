/*
 * test_childenv: the environment of a program, for each kind of connection.
 */
#include "config.h"
#include "superd/childenv.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static const char *value_of(const struct childenv *env, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->vector[i], name, length) == 0 && env->vector[i][length] == '=')
			return env->vector[i] + length + 1;
	}
	return NULL;
}

static void assert_value(const struct childenv *env, const char *name, const char *wanted)
{
	const char *value = value_of(env, name);

	if (wanted == NULL) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_string_equal(value, wanted);
}

static void test_internet(void **state)
{
	const struct conf_service conf = {.name = "web"};
	const struct peer peer = {.family = AF_INET, .port = 40000, .u.ip = {192, 0, 2, 7}};
	const struct peer local = {.family = AF_INET, .port = 80, .u.ip = {127, 0, 0, 1}};
	struct childenv env = {0};

	(void)state;
	assert_int_equal(childenv_build(&env, &(struct childenv_facts){.conf = &conf,
						      .type = SOCK_STREAM,
						      .family = AF_INET,
						      .peer = &peer,
						      .local = &local,
						      .id = 0x5f2c,
						      .source_connections = 3}),
		0);
	assert_value(&env, "PROTO", "TCP");
	assert_value(&env, "TCPREMOTEIP", "192.0.2.7");
	assert_value(&env, "TCPREMOTEPORT", "40000");
	assert_value(&env, "TCPLOCALIP", "127.0.0.1");
	assert_value(&env, "TCPLOCALPORT", "80");
	assert_value(&env, "REMOTE_ADDR", "192.0.2.7");
	assert_value(&env, "REMOTE_PORT", "40000");
	assert_value(&env, "TCPCONNNUM", "3");
	assert_value(&env, "SUPERD_SERVICE", "web");
	assert_value(&env, "SUPERD_CONN_ID", "5f2c");
	assert_value(&env, "LISTEN_FDS", NULL);
	assert_null(env.vector[env.count]);
	childenv_free(&env);
}

static void test_unix_peer(void **state)
{
	const struct conf_service conf = {.name = "s"};
	const struct peer peer = {.family = AF_UNIX, .u.cred = {.pid = 7, .uid = 8, .gid = 9}};
	const struct peer none = {0};
	struct childenv env = {0};

	(void)state;
	assert_int_equal(childenv_build(&env, &(struct childenv_facts){.conf = &conf,
						      .type = SOCK_STREAM,
						      .family = AF_UNIX,
						      .peer = &peer,
						      .local = &none}),
		0);
	assert_value(&env, "PROTO", "UNIX");
	assert_value(&env, "UNIXREMOTEPID", "7");
	assert_value(&env, "UNIXREMOTEEUID", "8");
	assert_value(&env, "UNIXREMOTEEGID", "9");
	assert_value(&env, "TCPREMOTEIP", NULL);
	childenv_free(&env);
}

static void test_wait_program(void **state)
{
	const struct conf_service conf = {.name = "chat"};
	const struct peer none = {0};
	struct childenv env = {0};

	(void)state;
	for (int round = 0; round < 2; round++) { /* the room is used again */
		assert_int_equal(childenv_build(&env, &(struct childenv_facts){.conf = &conf,
							      .type = SOCK_DGRAM,
							      .family = AF_INET,
							      .peer = &none,
							      .listen_names = "chat:chat",
							      .listen_count = 2}),
			0);
		assert_value(&env, "PROTO", "UDP");
		assert_value(&env, "LISTEN_FDS", "2");
		assert_value(&env, "LISTEN_FDNAMES", "chat:chat");
		childenv_set_pid(&env, 1234567);
		assert_value(&env, "LISTEN_PID", "1234567");
	}
	childenv_free(&env);
}

static void test_configured_value_wins(void **state)
{
	static const char *const configured[] = {"PROTO=own", "A=b", NULL};
	const struct conf_service conf = {.name = "s", .env = configured, .env_count = 2};
	const struct peer none = {0};
	struct childenv env = {0};
	size_t found = 0;

	(void)state;
	assert_int_equal(childenv_build(&env, &(struct childenv_facts){.conf = &conf,
						      .type = SOCK_STREAM,
						      .family = AF_INET,
						      .peer = &none,
						      .local = &none}),
		0);
	assert_value(&env, "PROTO", "own");
	assert_value(&env, "A", "b");
	for (size_t i = 0; i < env.count; i++)
		found += strncmp(env.vector[i], "PROTO=", 6) == 0;
	assert_int_equal(found, 1);
	childenv_free(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_internet),
		cmocka_unit_test(test_unix_peer),
		cmocka_unit_test(test_wait_program),
		cmocka_unit_test(test_configured_value_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
