/*
 * conf: what a load leaves in struct conf, that nobody can write there, and the asynchronous
 * way to it.
 */
#include "config.h"
#include "superd/conf.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

static const char text[] =
	"pid-file = /run/x.pid\n"
	"max-instances = 7\n"
	"grace = 1500ms\n"
	"log { level = debug  facility = mail  events = accept }\n"
	"defaults { pass-env = { SUPERD_TEST, SUPERD_TEST_UNSET, BOTH }  env { A = a } }\n"
	"service one {\n"
	"    listen = { 127.0.0.1:7000-7001,\n"
	"        7002, udp:7003 }\n"
	"    exec = { /bin/cat, \"-u\" }\n"
	"    argv0 = kitty\n"
	"    env { B = \"b b\"  BOTH = env }\n"
	"    limits { instances = 3  on-full = refuse  cpu = 1500ms  memory = 64M  core-size = 1M }\n"
	"    log { to = file  file = /var/log/one }\n"
	"    stderr = null\n"
	"}\n"
	"service two { listen = \"unix:@two\"  exec = /bin/cat  wait = yes  enabled = no  umask = 07 }\n";

/* What a load said, and the folder it read from. */
struct said {
	char folder[64], file[128];
	char messages[4096];
	size_t problems, warnings;
};

static void message_cb(void *owner, enum conf_severity severity, const char *message)
{
	struct said *said = owner;
	size_t used = strlen(said->messages);

	*(severity == CONF_PROBLEM ? &said->problems : &said->warnings) += 1;
	snprintf(said->messages + used, sizeof(said->messages) - used, "%s\n", message);
}

static void write_file(struct said *said, const char *content)
{
	FILE *stream;

	memset(said, 0, sizeof(*said));
	snprintf(said->folder, sizeof(said->folder), "/tmp/superd-load-XXXXXX");
	assert_non_null(mkdtemp(said->folder));
	snprintf(said->file, sizeof(said->file), "%s/a.conf", said->folder);
	stream = fopen(said->file, "w");
	assert_non_null(stream);
	fputs(content, stream);
	fchmod(fileno(stream), 0600);
	assert_int_equal(fclose(stream), 0);
}

static void remove_file(const struct said *said)
{
	unlink(said->file);
	rmdir(said->folder);
}

static void check_socket(const struct conf_socket *socket, const char *name, int type, bool wait,
	bool half, unsigned line)
{
	assert_string_equal(socket->text, name);
	assert_int_equal(socket->type, type);
	assert_int_equal(socket->wait, wait);
	assert_int_equal(socket->family_half, half);
	assert_int_equal(socket->where.line, line);
}

static void check_one(const struct conf_service *one)
{
	assert_string_equal(one->name, "one");
	assert_int_equal(one->where.line, 6);
	assert_true(one->enabled);
	assert_int_equal(one->socket_count, 6);
	check_socket(&one->sockets[0], "tcp 127.0.0.1:7000", SOCK_STREAM, false, false, 7);
	check_socket(&one->sockets[1], "tcp 127.0.0.1:7001", SOCK_STREAM, false, false, 7);
	check_socket(&one->sockets[2], "tcp 0.0.0.0:7002", SOCK_STREAM, false, true, 8);
	check_socket(&one->sockets[3], "tcp [::]:7002", SOCK_STREAM, false, true, 8);
	check_socket(&one->sockets[4], "udp 0.0.0.0:7003", SOCK_DGRAM, true, true, 8);
	check_socket(&one->sockets[5], "udp [::]:7003", SOCK_DGRAM, true, true, 8);
	assert_int_equal(addr_port(&one->sockets[5].addr), 7003);
	assert_string_equal(one->path, "/bin/cat");
	assert_string_equal(one->argv[0], "kitty");
	assert_string_equal(one->argv[1], "-u");
	assert_null(one->argv[2]);
	assert_int_equal(one->env_count, 4);
	assert_string_equal(one->env[0], "SUPERD_TEST=value");
	assert_string_equal(one->env[1], "BOTH=env");
	assert_string_equal(one->env[2], "A=a");
	assert_string_equal(one->env[3], "B=b b");
	assert_null(one->env[4]);
	assert_string_equal(one->directory, "/");
	assert_null(one->root);
	assert_int_equal(one->umask, 022);
	assert_int_equal(one->stderr_to, STDERR_NULL);
	assert_int_equal(one->backlog, 1024);
	assert_int_equal(one->keepalive_s, 7200);
	assert_true(one->nodelay);
	assert_false(one->reuse_port);
	assert_int_equal(one->tos, -1);
	assert_true(one->mark == -1);
	assert_null(one->bind_device);
	assert_null(one->banner);
	assert_int_equal(one->socket_mode, 0660);
}

static void check_limits(const struct conf_service *one)
{
	static const struct conf_rlimit limits[] = {
		{RLIMIT_CPU, 2}, {RLIMIT_AS, 64 << 20}, {RLIMIT_CORE, 1 << 20}};
	size_t i;

	assert_int_equal(one->limits.instances, 3);
	assert_int_equal(one->limits.on_full, ON_FULL_REFUSE);
	assert_int_equal(one->limits.rlimit_count, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(one->limits.rlimits[i].resource, limits[i].resource);
		assert_true(one->limits.rlimits[i].value == limits[i].value);
	}
}

static void check_creds(const struct conf_service *one)
{
	if (geteuid() == 0) {
		assert_true(one->creds.change);
		assert_int_not_equal(one->creds.uid, 0);
		assert_true(one->no_new_privileges);
		assert_int_equal(one->socket_user, one->creds.uid);
		assert_int_equal(one->socket_group, one->creds.gid);
	} else {
		assert_false(one->creds.change);
		assert_int_equal(one->creds.uid, geteuid());
		assert_true(one->socket_user == (uid_t)-1);
	}
	assert_int_equal(one->creds.group_count, 0);
}

static void test_contents(void **state)
{
	struct conf_request request = {.service_directory = "/bin", .mode = CONF_BUILD};
	const struct conf_service *two;
	const struct conf *conf;
	struct error error;
	struct said said;

	(void)state;
	setenv("SUPERD_TEST", "value", 1);
	setenv("BOTH", "passed", 1);
	unsetenv("SUPERD_TEST_UNSET");
	write_file(&said, text);
	request.file = said.file;
	if (conf_load(&request, message_cb, &said, &conf, &error) != 0)
		fail_msg("%s%s", said.messages, error.text);
	remove_file(&said);
	assert_string_equal(conf->file, said.file);
	assert_string_equal(conf->pid_file, "/run/x.pid");
	assert_string_equal(conf->service_directory, "/bin");
	assert_int_equal(conf->max_instances, 7);
	assert_true(conf->grace_ns == INT64_C(1500000000));
	assert_false(conf->log.to_set);
	assert_int_equal(conf->log.level, LEVEL_DEBUG);
	assert_int_equal(conf->log.facility, LOG_MAIL);
	assert_int_equal(conf->log.events, EVENT_ACCEPT);
	assert_null(conf->log.file);
	assert_int_equal(conf->service_count, 2);
	check_one(&conf->services[0]);
	check_limits(&conf->services[0]);
	check_creds(&conf->services[0]);
	assert_true(conf->services[0].log.to_set);
	assert_int_equal(conf->services[0].log.to, LOG_TO_FILE);
	assert_string_equal(conf->services[0].log.file, "/var/log/one");
	assert_int_equal(conf->services[0].log.facility, LOG_MAIL);
	two = &conf->services[1];
	assert_false(two->enabled);
	assert_int_equal(two->umask, 07);
	check_socket(two->sockets, "unix @two", SOCK_STREAM, true, false, 16);
	assert_string_equal(two->argv[0], "/bin/cat");
	assert_int_equal(two->limits.rlimit_count, 1);
	assert_int_equal(two->limits.rlimits[0].resource, RLIMIT_CORE);
	assert_true(two->limits.rlimits[0].value == 0);
	conf_free(conf);
	conf_free(NULL);
}

/* The MMU holds the const. */
static void test_read_only(void **state)
{
	struct conf_request request = {.service_directory = "/bin", .mode = CONF_BUILD};
	const struct conf *conf;
	struct error error;
	struct said said;
	int status;
	pid_t pid;

	(void)state;
	write_file(&said, text);
	request.file = said.file;
	assert_int_equal(conf_load(&request, message_cb, &said, &conf, &error), 0);
	remove_file(&said);
	pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		((struct conf *)(uintptr_t)conf)->max_instances = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	conf_free(conf);
}

/* Reads a load to its end as a loop would, then ends it. */
static int finish(
	struct conf_load *load, struct said *said, const struct conf **conf, struct error *error)
{
	struct pollfd poll_fd = {.fd = conf_load_fd(load), .events = POLLIN};
	int status;

	while (conf_load_read(load, message_cb, said) > 0)
		assert_int_equal(poll(&poll_fd, 1, 60000), 1);
	assert_int_equal(waitpid(conf_load_pid(load), &status, 0), conf_load_pid(load));
	return conf_load_end(load, status, conf, error);
}

static void test_asynchronous(void **state)
{
	struct conf_request request = {.service_directory = "/bin", .mode = CONF_BUILD};
	struct conf_load *load;
	const struct conf *conf;
	struct error error;
	struct said said;

	(void)state;
	write_file(&said, text);
	request.file = said.file;
	assert_int_equal(conf_load_begin(&request, &load, &error), 0);
	assert_int_equal(finish(load, &said, &conf, &error), 0);
	assert_int_equal(conf->service_count, 2);
	conf_free(conf);
	request.mode = CONF_CHECK;
	assert_int_equal(conf_load_begin(&request, &load, &error), 0);
	assert_int_equal(finish(load, &said, &conf, &error), 0);
	assert_null(conf);
	remove_file(&said);
}

static void test_problems(void **state)
{
	struct conf_request request = {.service_directory = "/bin", .mode = CONF_BUILD};
	const struct conf *conf;
	struct error error;
	struct said said;

	(void)state;
	write_file(&said, "service a { listen = 0  exec = /bin/cat  nice = x }\n");
	request.file = said.file;
	assert_int_equal(conf_load(&request, message_cb, &said, &conf, &error), -1);
	remove_file(&said);
	assert_null(conf);
	assert_string_equal(error.text, "");
	assert_int_equal(said.problems, 2);
	assert_non_null(strstr(said.messages, ":1: service \"a\": nice: 'x' is not a number\n"));
}

static void test_killed(void **state)
{
	struct conf_request request = {.service_directory = "/bin", .mode = CONF_BUILD};
	struct conf_load *load;
	const struct conf *conf;
	struct error error;
	struct said said;
	int status;

	(void)state;
	write_file(&said, text);
	request.file = said.file;
	assert_int_equal(conf_load_begin(&request, &load, &error), 0);
	conf_load_kill(load);
	assert_int_equal(waitpid(conf_load_pid(load), &status, 0), conf_load_pid(load));
	assert_int_equal(conf_load_end(load, status, &conf, &error), -1);
	assert_string_equal(error.text, "the configuration loader took longer than 20 s");
	assert_null(conf);
	remove_file(&said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_asynchronous),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
