/*
 * claims: the messages of a mailbox that one fetch has for itself.
 *
 * A claim is a lock on the message's file, so it ends with the process at the latest.
 */
#ifndef SERVICES_MAIL_CLAIMS_H
#define SERVICES_MAIL_CLAIMS_H

#include "services/mail/mailbox.h"

#include <stddef.h>
#include <stdint.h>

struct claim {
	char file[NAME_SIZE];
	struct name name;
	int fd; /* locked; -1: not claimed (yet) */
	uint64_t bytes;
};

struct claims {
	size_t count;
	struct claim *list; /* oldest first */
};

/*
 * Claims all messages that nobody else has claimed, as many as there are descriptors for; the
 * others are the next fetch's.  What is no message is left alone and logged.  Returns 0, or -1 with
 * *trouble; claims_free() is safe in either case.
 */
int claims_take(const struct mailbox *mailbox, struct claims *claims, struct trouble *trouble);

/* Removes the claimed messages for good.  Returns 0, or -1 with *trouble: some may be left. */
int claims_delete(
	const struct mailbox *mailbox, const struct claims *claims, struct trouble *trouble);

/* Gives the claims up. */
void claims_free(struct claims *claims);

#endif
