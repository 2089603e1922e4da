/*
 * send: the dialogue that takes one message in.
 *
 * Sender, newline, recipient, newline, with -l also "BYTES n" and a newline, the message, end of
 * file; then one line is answered.  Every step answers the client itself when it ends the
 * dialogue, and returns the exit status; STATUS_DONE lets the next step begin.
 */
#include "config.h"

#include "services/mail/send.h"
#include "services/lib/options.h"
#include "services/lib/text.h"
#include "services/mail/delivery.h"
#include "services/mail/exchange.h"
#include "services/mail/login.h"
#include "services/mail/mailbox.h"

#include <inttypes.h>
#include <stdint.h>
#include <string.h>

/* "BYTES " and a number. */
#define BYTES_WORD "BYTES "
#define BYTES_LINE_SIZE (sizeof(BYTES_WORD) + TEXT_NUMBER_SIZE)

struct sending {
	const struct settings *settings;
	struct exchange *exchange;
	char sender[LOGIN_SIZE];
	char recipient[LOGIN_SIZE];
	uint64_t most; /* bytes that the message may have: what was announced, or the limit */
	struct delivery delivery;
	struct trouble trouble;
};

static int login_step(struct sending *sending, const char *whose, char login[LOGIN_SIZE])
{
	int got = login_read(sending->exchange, login);

	if (got < 0)
		return exchange_failed(sending->exchange);
	if (got == 0)
		return exchange_answer(
			sending->exchange, STATUS_FAILED, "501 invalid %s login", whose);
	return STATUS_DONE;
}

static int too_large(struct sending *sending)
{
	return exchange_answer(sending->exchange, STATUS_FAILED,
		"552 message larger than %" PRIu64 " bytes", sending->settings->max_message);
}

/* Reads how long the message is, where that is announced. */
static int length_step(struct sending *sending)
{
	char line[BYTES_LINE_SIZE];
	int got;

	sending->most = sending->settings->max_message;
	if (!sending->settings->announced)
		return STATUS_DONE;
	got = exchange_line(sending->exchange, line, sizeof(line));
	if (got < 0)
		return exchange_failed(sending->exchange);
	if (got == 0 || strncmp(line, BYTES_WORD, strlen(BYTES_WORD)) != 0 ||
		text_parse_unsigned(line + strlen(BYTES_WORD), 0, UINT64_MAX, &sending->most) != 0)
		return exchange_answer(sending->exchange, STATUS_FAILED, "501 invalid length");
	return sending->most > sending->settings->max_message ? too_large(sending) : STATUS_DONE;
}

/* Answers what hinders a delivery. */
static int delivery_answer(struct sending *sending, enum delivery_result result)
{
	switch (result) {
	case DELIVERY_DONE:
		return STATUS_DONE;
	case DELIVERY_FULL:
		return exchange_answer(sending->exchange, STATUS_FAILED,
			"552 mailbox of %s is full", sending->recipient);
	case DELIVERY_FAILED:
		break;
	}
	return exchange_trouble(sending->exchange, &sending->trouble, true);
}

/* Reads the message to its end and writes it to the delivery. */
static int message_step(struct sending *sending)
{
	for (;;) {
		uint64_t left = sending->most - sending->delivery.bytes;
		const char *data;
		/* With nothing left, one byte more tells the end from too much. */
		ssize_t got = exchange_take(sending->exchange,
			left == 0                ? 1
			: left < EXCHANGE_BUFFER ? (size_t)left
						 : EXCHANGE_BUFFER,
			&data);

		if (got < 0)
			return exchange_failed(sending->exchange);
		if (got == 0)
			break;
		if (left == 0)
			return sending->settings->announced
				       ? exchange_answer(sending->exchange, STATUS_FAILED,
						 "501 message longer than announced")
				       : too_large(sending);
		if (delivery_write(&sending->delivery, data, (size_t)got, &sending->trouble) != 0)
			return exchange_trouble(sending->exchange, &sending->trouble, true);
	}
	if (sending->settings->announced && sending->delivery.bytes < sending->most)
		return exchange_answer(sending->exchange, STATUS_FAILED, "501 message cut short");
	return STATUS_DONE;
}

/* With the recipient's mailbox open: the message, and its answer. */
static int deliver(struct sending *sending, const struct mailbox *mailbox)
{
	struct delivery *delivery = &sending->delivery;
	uint64_t announced = sending->settings->announced ? sending->most : 0;
	int status = delivery_answer(sending,
		delivery_begin(delivery, sending->settings, mailbox, announced, &sending->trouble));

	if (status == STATUS_DONE)
		status = message_step(sending);
	if (status == STATUS_DONE)
		status = delivery_answer(
			sending, delivery_commit(delivery, sending->sender, &sending->trouble));
	if (status == STATUS_DONE)
		status = exchange_answer(sending->exchange, STATUS_DONE,
			"250 stored %" PRIu64 " bytes for %s", delivery->bytes, sending->recipient);
	delivery_end(delivery);
	return status;
}

int send_run(const struct settings *settings, int in, int out)
{
	struct exchange exchange;
	struct sending sending = {.settings = settings, .exchange = &exchange};
	struct mailbox mailbox;
	int status;

	exchange_begin(&exchange, settings, in, out);
	status = login_step(&sending, "sender", sending.sender);
	if (status == STATUS_DONE)
		status = login_step(&sending, "recipient", sending.recipient);
	if (status == STATUS_DONE)
		status = length_step(&sending);
	if (status != STATUS_DONE)
		return status;
	if (mailbox_open_to_add(settings, sending.recipient, &mailbox, &sending.trouble) != 0)
		return exchange_trouble(&exchange, &sending.trouble, true);
	mailbox_sweep(&mailbox);
	status = deliver(&sending, &mailbox);
	mailbox_close(&mailbox);
	return status;
}
