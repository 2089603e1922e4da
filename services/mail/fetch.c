/*
 * fetch: the dialogue that hands a user's messages out.
 *
 * Login and newline, where there is a password file also the password and a newline; then
 * "250 N messages", and of each message its header line and its bytes.  They are deleted only
 * when the client has confirmed them (output.h).
 */
#include "config.h"

#include "services/mail/fetch.h"
#include "services/lib/options.h"
#include "services/lib/serve.h"
#include "services/mail/claims.h"
#include "services/mail/exchange.h"
#include "services/mail/login.h"
#include "services/mail/mailbox.h"
#include "services/mail/output.h"
#include "services/mail/passwd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* From the password to the answer that it is wrong, whatever was wrong. */
#define REFUSAL_S 1

/* Waits until a second has passed since begin. */
static void refusal_wait(struct timespec begin)
{
	begin.tv_sec += REFUSAL_S;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &begin, NULL) == EINTR)
		continue;
}

/* Reads the password and checks it.  Answers and returns a status other than STATUS_DONE where
   it does not open the mailbox. */
static int password_step(
	const struct settings *settings, struct exchange *exchange, const char *login)
{
	char password[PASSWD_PASSWORD_SIZE];
	struct trouble trouble;
	struct timespec begin;
	int got = exchange_line(exchange, password, sizeof(password));
	int right;

	if (got < 0)
		return exchange_failed(exchange);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (got == 0)
		password[0] = '\0'; /* too long or cut short: checked all the same, for the time */
	right = passwd_check(settings->passwd, login, password, &trouble);
	explicit_bzero(password, sizeof(password));
	explicit_bzero(exchange->buffer, sizeof(exchange->buffer));
	if (right < 0)
		return exchange_trouble(exchange, &trouble, false);
	if (right == 1 && got == 1)
		return STATUS_DONE;
	refusal_wait(begin);
	exchange_note("authentication failed for %s", login);
	return exchange_answer(exchange, STATUS_FAILED, "535 authentication failed");
}

static int login_step(
	const struct settings *settings, struct exchange *exchange, char login[LOGIN_SIZE])
{
	int got = login_read(exchange, login);

	if (got < 0)
		return exchange_failed(exchange);
	if (got == 0)
		return exchange_answer(exchange, STATUS_FAILED, "501 invalid login");
	return settings->passwd != NULL ? password_step(settings, exchange, login) : STATUS_DONE;
}

/* Sends count and messages.  Returns 0, or -1 with errno. */
static int claims_send(const struct claims *claims, struct output *output)
{
	char line[NAME_HEADER_SIZE];

	snprintf(line, sizeof(line), "250 %zu messages\n", claims->count);
	if (output_add(output, line, strlen(line)) != 0)
		return -1;
	for (size_t i = 0; i < claims->count; i++) {
		const struct claim *claim = &claims->list[i];
		size_t length = name_header(&claim->name, claim->bytes, line);

		if (output_add(output, line, length) != 0 ||
			output_add_file(output, claim->fd, claim->bytes) != 0)
			return -1;
	}
	return output_flush(output);
}

/* Sends the claimed messages, and deletes them when they have arrived. */
static int messages_step(
	const struct mailbox *mailbox, const struct claims *claims, struct exchange *exchange)
{
	struct output output;
	struct trouble trouble;

	output_begin(&output, exchange);
	if (claims_send(claims, &output) != 0) {
		output_break(&output);
		return serve_failed("send");
	}
	if (!output_confirmed(&output)) {
		exchange_note("%zu messages of %s were not confirmed and stay", claims->count,
			mailbox->login);
		return STATUS_FAILED;
	}
	if (claims_delete(mailbox, claims, &trouble) != 0) {
		exchange_note("%s: %s", trouble.text, strerror(trouble.code));
		return STATUS_TEMPFAIL;
	}
	return STATUS_DONE;
}

static int mailbox_step(
	const struct settings *settings, const char *login, struct exchange *exchange)
{
	struct claims claims = {0};
	struct trouble trouble;
	struct mailbox mailbox;
	int status;
	int opened = mailbox_open_to_take(settings, login, &mailbox, &trouble);

	if (opened < 0)
		return exchange_trouble(exchange, &trouble, false);
	if (opened == 0)
		return exchange_answer(exchange, STATUS_DONE, "250 0 messages");
	mailbox_sweep(&mailbox);
	if (claims_take(&mailbox, &claims, &trouble) != 0)
		status = exchange_trouble(exchange, &trouble, false);
	else if (claims.count == 0)
		status = exchange_answer(exchange, STATUS_DONE, "250 0 messages");
	else
		status = messages_step(&mailbox, &claims, exchange);
	claims_free(&claims);
	mailbox_close(&mailbox);
	return status;
}

int fetch_run(const struct settings *settings, int in, int out)
{
	struct exchange exchange;
	char login[LOGIN_SIZE];
	int status;

	exchange_begin(&exchange, settings, in, out);
	status = login_step(settings, &exchange, login);
	if (status == STATUS_DONE)
		status = mailbox_step(settings, login, &exchange);
	return status;
}
