/*
 * delivery: one message on its way into a mailbox.
 *
 * It is written to tmp/ and synced there; then, with the mailbox locked, the limits are looked at
 * and it is renamed into new/, so that they hold exactly however many senders there are.  The
 * syncs are outside the lock, so that the file system may do those of several senders at once.
 */
#ifndef SERVICES_MAIL_DELIVERY_H
#define SERVICES_MAIL_DELIVERY_H

#include "services/mail/mailbox.h"

#include <stddef.h>
#include <stdint.h>

enum delivery_result {
	DELIVERY_DONE,
	DELIVERY_FULL,   /* the mailbox's limits forbid it */
	DELIVERY_FAILED, /* see the trouble */
};

struct delivery {
	const struct settings *settings; /* the caller's, as is the mailbox */
	const struct mailbox *mailbox;
	int fd; /* of the file in tmp/, -1 where there is none */
	uint64_t bytes;
	char unique[NAME_UNIQUE_SIZE];
	char tmp[NAME_SIZE];
};

/*
 * Looks whether bytes more would fit now (a full mailbox is known before the message has come, but
 * only the end decides), and makes the file in tmp/.
 */
enum delivery_result delivery_begin(struct delivery *delivery, const struct settings *settings,
	const struct mailbox *mailbox, uint64_t bytes, struct trouble *trouble);

/* Writes more of the message.  Returns 0, or -1 with *trouble. */
int delivery_write(
	struct delivery *delivery, const char *data, size_t size, struct trouble *trouble);

/* Puts the message into new/; with DELIVERY_DONE it is there, on the disk, and whole. */
enum delivery_result delivery_commit(
	struct delivery *delivery, const char *sender, struct trouble *trouble);

/* Ends a delivery at any point: removes the file in tmp/ where it still is. */
void delivery_end(struct delivery *delivery);

#endif
