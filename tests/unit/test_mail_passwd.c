/*
 * Tests of services/mail/passwd: finding a user's line, and checking a password.
 */
#include "config.h"

#include "services/mail/passwd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_login_is_found_in_its_line(void **state)
{
	static const struct {
		const char *text;
		const char *hash; /* NULL: not known */
	} cases[] = {
		{"maria1:$6$a$b\n", "$6$a$b"},
		{"maria1:$6$a$b", "$6$a$b"},
		{"maria1:$6$a$b\r\n", "$6$a$b"},
		{"# maria1:x\n\nrobert:$6$c$d\nmaria1:$6$a$b\n", "$6$a$b"},
		{"maria1:$6$a$b\nmaria1:$6$c$d\n", "$6$a$b"},
		{"", NULL},
		{"maria1", NULL},
		{"maria1:", NULL},
		{"maria1 :x\n", NULL},
		{"xmaria1:x\n", NULL},
		{"maria2:x\n", NULL},
		/* Locked, and no later line unlocks. */
		{"maria1:!$6$a$b\nmaria1:$6$c$d\n", NULL},
		{"maria1:*\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char hash[PASSWD_HASH_SIZE];

		assert_int_equal(passwd_find(cases[i].text, "maria1", hash), cases[i].hash != NULL);
		if (cases[i].hash != NULL)
			assert_string_equal(hash, cases[i].hash);
	}
}

static void an_overlong_hash_is_no_hash(void **state)
{
	char text[2 * PASSWD_HASH_SIZE], hash[PASSWD_HASH_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "maria1:", 7);
	text[sizeof(text) - 1] = '\0';
	assert_false(passwd_find(text, "maria1", hash));
	text[6 + PASSWD_HASH_SIZE] = '\0';
	assert_true(passwd_find(text, "maria1", hash));
	assert_int_equal(strlen(hash), PASSWD_HASH_SIZE - 1);
}

/* A stranger is worked on with a real user's hash, always the same one. */
static void a_stranger_costs_what_a_user_costs(void **state)
{
	static const char text[] = "robert:$6$a$b\nmaria1:$5$c$d\nlocked:!\ngarlic:*\n";
	bool seen[2] = {false, false};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char login[16], hash[PASSWD_HASH_SIZE], again[PASSWD_HASH_SIZE];

		snprintf(login, sizeof(login), "x%05d", i);
		assert_false(passwd_find(text, login, hash));
		assert_false(passwd_find(text, login, again));
		assert_string_equal(hash, again);
		assert_true(strcmp(hash, "$6$a$b") == 0 || strcmp(hash, "$5$c$d") == 0);
		seen[strcmp(hash, "$6$a$b") == 0] = true;
	}
	assert_true(seen[0] && seen[1]);
}

/* A password file with that text, in a folder of its own. */
static void file_write(char path[40], const char *text)
{
	FILE *file;
	int fd;

	strcpy(path, "/tmp/test_mail_passwd.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void passwords_are_checked(void **state)
{
	static const struct {
		const char *login;
		const char *password;
		int right;
	} cases[] = {
		{"maria1", "secret", 1},
		{"maria1", "Secret", 0},
		{"maria1", "", 0},
		{"maria1", "secret ", 0},
		{"robert", "secret", 0},
		{"nobody", "secret", 0},
		{"locked", "secret", 0},
		{"broken", "secret", 0},
		{"nohash", "", 0},
	};
	char path[40], text[1024];
	struct crypt_data work = {.initialized = 0};

	(void)state;
	snprintf(text, sizeof(text),
		"maria1:%s\nrobert:$6$rounds=1000$x$y\nlocked:!%s\nbroken:plain\nnohash:\n",
		crypt_r("secret", "$6$rounds=1000$salt$", &work),
		crypt_r("secret", "$6$rounds=1000$salt$", &work));
	file_write(path, text);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trouble trouble;

		assert_int_equal(passwd_check(path, cases[i].login, cases[i].password, &trouble),
			cases[i].right);
	}
	unlink(path);
}

static void nobody_gets_in_by_a_file_without_users(void **state)
{
	static const char *const texts[] = {"", "\n", "maria1:*\n", "maria1:!\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct trouble trouble;
		char path[40];

		file_write(path, texts[i]);
		assert_int_equal(passwd_check(path, "maria1", "", &trouble), 0);
		unlink(path);
	}
}

static void a_bad_file_is_trouble(void **state)
{
	char folder[] = "/tmp/test_mail_passwd.XXXXXX";
	char fifo[sizeof(folder) + 8];
	struct trouble trouble;

	(void)state;
	assert_int_equal(passwd_check("/nonexistent", "maria1", "x", &trouble), -1);
	assert_int_equal(trouble.code, ENOENT);
	assert_int_equal(passwd_check("/", "maria1", "x", &trouble), -1);
	assert_non_null(mkdtemp(folder));
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(passwd_check(fifo, "maria1", "x", &trouble), -1);
	unlink(fifo);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_is_found_in_its_line),
		cmocka_unit_test(an_overlong_hash_is_no_hash),
		cmocka_unit_test(a_stranger_costs_what_a_user_costs),
		cmocka_unit_test(passwords_are_checked),
		cmocka_unit_test(nobody_gets_in_by_a_file_without_users),
		cmocka_unit_test(a_bad_file_is_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
