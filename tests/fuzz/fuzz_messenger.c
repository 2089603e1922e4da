/*
 * fuzz_messenger: what a client sends to both of messenger's dialogues, names of files in a
 * mailbox, and password files.
 *
 * The first byte chooses.  Held against the dialogue that takes messages in: it answers exactly
 * one known line, 250 exactly when the input is what it should be, and then what lies in the
 * mailbox is the message, byte for byte.
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/mail/claims.h"
#include "services/mail/fetch.h"
#include "services/mail/login.h"
#include "services/mail/mailbox.h"
#include "services/mail/name.h"
#include "services/mail/passwd.h"
#include "services/mail/send.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_MESSAGE 1000
#define ANSWER_SIZE 65536

enum target { TARGET_SEND, TARGET_LENGTH, TARGET_FETCH, TARGET_NAME, TARGET_PASSWD, TARGETS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool holds)
{
	if (!holds)
		abort();
}

/* The spool is below the working folder, which is the caller's to clear away. */
static void settings_make(struct settings *settings, char spool[64])
{
	snprintf(spool, 64, "fuzz_messenger.spool.%ld", (long)getpid());
	*settings = (struct settings){
		.spool = spool,
		.max_message = MAX_MESSAGE,
		.max_messages = 5,
		.max_bytes = UINT64_C(5) * MAX_MESSAGE,
		.idle_ms = 1000,
		.total_ms = IO_FOREVER,
	};
}

/* Runs a dialogue on data and end of file.  Returns the length of its NUL-terminated answer. */
static size_t dialogue_run(int (*run)(const struct settings *, int, int),
	const struct settings *settings, const uint8_t *data, size_t size, char answer[ANSWER_SIZE])
{
	struct io_deadline deadline = io_deadline_idle(1000);
	ssize_t length;
	int ends[2];

	hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	hold(size == 0 || send(ends[0], data, size, 0) == (ssize_t)size);
	hold(shutdown(ends[0], SHUT_WR) == 0);
	run(settings, ends[1], ends[1]);
	close(ends[1]);
	length = io_read_full(ends[0], answer, ANSWER_SIZE - 1, &deadline);
	hold(length >= 0);
	answer[length] = '\0';
	close(ends[0]);
	return (size_t)length;
}

/* A login and its newline in front of *data.  Returns whether there is one, and takes it. */
static bool login_take(const uint8_t **data, size_t *size, char login[LOGIN_SIZE])
{
	if (*size < LOGIN_SIZE || (*data)[LOGIN_LENGTH] != '\n' ||
		!login_valid((const char *)*data, LOGIN_LENGTH))
		return false;
	memcpy(login, *data, LOGIN_LENGTH);
	login[LOGIN_LENGTH] = '\0';
	*data += LOGIN_SIZE;
	*size -= LOGIN_SIZE;
	return true;
}

/* "BYTES n" in front of *data, as strtoull reads it; whether n is what follows. */
static bool length_take(const uint8_t **data, size_t *size)
{
	const uint8_t *newline = *size > 0 ? memchr(*data, '\n', *size) : NULL;
	char line[40], *end;

	if (newline == NULL || (size_t)(newline - *data) >= sizeof(line) ||
		memchr(*data, '\0', (size_t)(newline - *data)) != NULL)
		return false;
	memcpy(line, *data, (size_t)(newline - *data));
	line[newline - *data] = '\0';
	*size -= (size_t)(newline - *data) + 1;
	*data = newline + 1;
	return strncmp(line, "BYTES ", 6) == 0 && strspn(line + 6, "0123456789") > 0 &&
	       strtoull(line + 6, &end, 10) == *size && *end == '\0';
}

/* The mailbox holds this message alone; it is removed. */
static void message_hold(const struct settings *settings, const char *sender, const char *recipient,
	const uint8_t *data, size_t size)
{
	struct mailbox mailbox;
	struct claims claims;
	struct trouble trouble;
	char file[MAX_MESSAGE];

	hold(mailbox_open_to_take(settings, recipient, &mailbox, &trouble) == 1);
	hold(claims_take(&mailbox, &claims, &trouble) == 0);
	hold(claims.count == 1 && claims.list[0].bytes == size);
	hold(claims.list[0].name.bytes == size);
	hold(strcmp(claims.list[0].name.sender, sender) == 0);
	hold(pread(claims.list[0].fd, file, sizeof(file), 0) == (ssize_t)size);
	hold(size == 0 || memcmp(file, data, size) == 0);
	hold(claims_delete(&mailbox, &claims, &trouble) == 0);
	claims_free(&claims);
	mailbox_close(&mailbox);
}

static bool answer_known(const char *answer)
{
	static const char *const known[] = {
		"501 invalid sender login\n",
		"501 invalid recipient login\n",
		"501 invalid length\n",
		"501 message cut short\n",
		"501 message longer than announced\n",
		"552 message larger than 1000 bytes\n",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(answer, known[i]) == 0)
			return true;
	return false;
}

static void send_check(const uint8_t *data, size_t size, bool announced)
{
	char spool[64], answer[ANSWER_SIZE], wanted[100], sender[LOGIN_SIZE], recipient[LOGIN_SIZE];
	struct settings settings;
	bool good;

	settings_make(&settings, spool);
	settings.announced = announced;
	dialogue_run(send_run, &settings, data, size, answer);
	good = login_take(&data, &size, sender) && login_take(&data, &size, recipient) &&
	       (!announced || length_take(&data, &size)) && size <= MAX_MESSAGE;
	if (!good) {
		hold(answer_known(answer));
		return;
	}
	snprintf(wanted, sizeof(wanted), "250 stored %zu bytes for %s\n", size, recipient);
	hold(strcmp(answer, wanted) == 0);
	message_hold(&settings, sender, recipient, data, size);
}

static void fetch_check(const uint8_t *data, size_t size)
{
	char spool[64], answer[ANSWER_SIZE], login[LOGIN_SIZE];
	struct settings settings;

	settings_make(&settings, spool);
	/* The spool is there once a message was sent. */
	dialogue_run(send_run, &settings, (const uint8_t *)"sender\nmaria1\nx", 15, answer);
	message_hold(&settings, "sender", "maria1", (const uint8_t *)"x", 1);
	dialogue_run(fetch_run, &settings, data, size, answer);
	hold(strcmp(answer, login_take(&data, &size, login) ? "250 0 messages\n"
							    : "501 invalid login\n") == 0);
}

static void name_check(const char *text)
{
	struct name name, again;
	char written[NAME_SIZE];

	if (name_parse(text, &name) != 0)
		return;
	hold(login_valid(name.sender, strlen(name.sender)));
	name_format(&name, written);
	hold(name_parse(written, &again) == 0);
	hold(again.key_ns == name.key_ns && again.bytes == name.bytes &&
		again.date_s == name.date_s && strcmp(again.unique, name.unique) == 0);
	hold(name_header(&name, name.bytes, written) < NAME_HEADER_SIZE);
}

static void passwd_check_text(const char *text)
{
	char hash[PASSWD_HASH_SIZE];
	bool found = passwd_find(text, "maria1", hash);

	hold(strlen(hash) < PASSWD_HASH_SIZE && strchr(hash, '\n') == NULL);
	hold(!found || strstr(text, "maria1:") != NULL);
	hold(!found || strstr(text, hash) != NULL);
}

/* The last two take text. */
static void text_check(enum target target, const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	hold(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (target == TARGET_NAME)
		name_check(text);
	else
		passwd_check_text(text);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum target target;

	if (size == 0 || size > 8192)
		return 0;
	target = data[0] % TARGETS;
	data++;
	size--;
	switch (target) {
	case TARGET_SEND:
	case TARGET_LENGTH:
		send_check(data, size, target == TARGET_LENGTH);
		break;
	case TARGET_FETCH:
		fetch_check(data, size);
		break;
	case TARGET_NAME:
	case TARGET_PASSWD:
	case TARGETS:
		text_check(target, data, size);
		break;
	}
	return 0;
}
