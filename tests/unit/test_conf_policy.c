/*
 * conf: acl and limits as struct conf has them: defaults, inheritance, what is shared.
 */
#include "config.h"
#include "superd/conf.h"
#include "tests/unit/conf_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

static const char text[] =
	"defaults {\n"
	"    limits { instances = 40  per-source-rate = 3/10s }\n"
	"    acl { deny = { 10.0.0.0/8, private } }\n"
	"}\n"
	"service plain { listen = 7000  exec = /bin/cat }\n"
	"service small { listen = 7001  exec = /bin/cat  limits { instances = 3 } }\n"
	"service set {\n"
	"    listen = 7002\n"
	"    exec = /bin/cat\n"
	"    limits { per-source = 10  rate = 100/m  burst = 5  source-prefix4 = 24\n"
	"             source-prefix6 = 48  load = 2.5  time = 1h  idle = 1500ms }\n"
	"    acl { allow = { 10.1.0.0/16,\n"
	"                    user:0 }\n"
	"          hours = { \"Mon-Fri 08:00-18:00\", Sun } }\n"
	"}\n"
	"service none { listen = 7003  exec = /bin/cat\n"
	"    limits { per-source = 0  per-source-rate = 0 }  acl { deny = {} } }\n"
	"service added { listen = 7004  exec = /bin/cat  acl { deny += 192.0.2.1 } }\n";

static int set_up(void **state)
{
	struct conf_text_folder folder;

	conf_text_begin(&folder);
	conf_text_write(&folder, "a.conf", text);
	*state = (void *)(uintptr_t)conf_text_load(&folder, "a.conf");
	conf_text_end(&folder);
	return 0;
}

static int tear_down(void **state)
{
	conf_free(*state);
	return 0;
}

static void test_limits_default(void **state)
{
	const struct conf_limits *limits = &conf_text_service(*state, "plain")->limits;

	assert_int_equal(limits->sources.per_source, 10);
	assert_true(limits->sources.local_exempt);
	assert_int_equal(limits->sources.rate.count, 0);
	assert_int_equal(limits->sources.per_source_rate.count, 3);
	assert_int_equal(limits->sources.per_source_rate.period_ns, 10 * S);
	assert_int_equal(limits->sources.burst, 10);
	assert_int_equal(limits->sources.source_prefix4, 32);
	assert_int_equal(limits->sources.source_prefix6, 64);
	assert_int_equal(limits->load_permille, 0);
	assert_int_equal(limits->time_ns, 0);
	assert_int_equal(limits->idle_ns, 0);
	assert_int_equal(conf_text_service(*state, "small")->limits.sources.per_source, 1);
}

static void test_limits_set(void **state)
{
	const struct conf_limits *limits = &conf_text_service(*state, "set")->limits;
	const struct conf_limits *none = &conf_text_service(*state, "none")->limits;

	/* As many as the default would be, but it holds for everybody. */
	assert_int_equal(limits->sources.per_source, 10);
	assert_false(limits->sources.local_exempt);
	assert_int_equal(limits->sources.rate.count, 100);
	assert_int_equal(limits->sources.rate.period_ns, 60 * S);
	assert_int_equal(limits->sources.burst, 5);
	assert_int_equal(limits->sources.source_prefix4, 24);
	assert_int_equal(limits->sources.source_prefix6, 48);
	assert_int_equal(limits->load_permille, 2500);
	assert_int_equal(limits->time_ns, 3600 * S);
	assert_int_equal(limits->idle_ns, 3 * S / 2);
	assert_int_equal(none->sources.per_source, 0);
	assert_false(none->sources.local_exempt);
	assert_int_equal(none->sources.per_source_rate.count, 0);
}

static bool open_to(const struct conf_service *service, const char *host, struct acl_rule *rule)
{
	struct addr addr;
	struct peer peer;

	assert_int_equal(addr_parse_ip(host, 1, &addr), 0);
	peer_set(&peer, &addr.u.any, addr.length);
	return acl_check(service->acl, &peer, NULL, 0, rule);
}

static void test_acl(void **state)
{
	const struct conf *conf = *state;
	const struct conf_service *set = conf_text_service(conf, "set");
	struct acl_rule rule;

	assert_true(open_to(set, "10.1.2.3", &rule));
	assert_int_equal(rule.list, ACL_ALLOW);
	assert_int_equal(rule.line, 12);
	assert_string_equal(conf->acl_sources[rule.source], "a.conf");
	assert_false(open_to(set, "10.2.0.1", &rule));
	assert_int_equal(rule.line, 3);
	assert_false(open_to(set, "2001:db8::1", &rule));
	assert_int_equal(rule.list, ACL_NONE);
	assert_string_equal(set->allow_where.file, "a.conf");
	assert_int_equal(set->allow_where.line, 12);
	assert_null(conf_text_service(conf, "plain")->allow_where.file);
	assert_true(open_to(conf_text_service(conf, "plain"), "2001:db8::1", &rule));
}

/* What is inherited unchanged is there once. */
static void test_acl_shared(void **state)
{
	const struct conf_service *plain = conf_text_service(*state, "plain");
	const struct conf_service *added = conf_text_service(*state, "added");

	assert_non_null(plain->acl);
	assert_ptr_equal(conf_text_service(*state, "small")->acl, plain->acl);
	assert_ptr_not_equal(added->acl, plain->acl);
	assert_false(open_to(added, "192.0.2.1", NULL));
	assert_false(open_to(added, "10.0.0.1", NULL));
	assert_true(open_to(plain, "192.0.2.1", NULL));
	assert_null(conf_text_service(*state, "none")->acl);
}

static void test_hours(void **state)
{
	const struct conf_service *set = conf_text_service(*state, "set");

	assert_null(conf_text_service(*state, "plain")->hours);
	assert_int_equal(set->hours->count, 2);
	assert_string_equal(set->hours_text, "Mon-Fri 08:00-18:00, Sun");
	assert_int_equal(set->hours_where.line, 14);
	assert_true(hours_open(set->hours, &(struct tm){.tm_wday = 1, .tm_hour = 8}));
	assert_true(hours_open(set->hours, &(struct tm){.tm_wday = 0, .tm_hour = 7}));
	assert_false(hours_open(set->hours, &(struct tm){.tm_wday = 6, .tm_hour = 8}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits_default),
		cmocka_unit_test(test_limits_set),
		cmocka_unit_test(test_acl),
		cmocka_unit_test(test_acl_shared),
		cmocka_unit_test(test_hours),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
