/*
 * mailbox: one user's folder in the spool.
 *
 *   SPOOL/LOGIN/tmp    messages being written
 *   SPOOL/LOGIN/new    messages
 *   SPOOL/LOGIN/lock   whoever holds a lock on it may add a message to new/
 *
 * The spool is made where it is missing and the folder above is there.
 *
 * Every step goes by openat(2) from the folder above and follows no symbolic link; what does not
 * belong to the user of this process is refused.  The locks are fcntl(2)'s on open file
 * descriptions: the kernel drops them when the process ends, and network file systems know them.
 */
#ifndef SERVICES_MAIL_MAILBOX_H
#define SERVICES_MAIL_MAILBOX_H

#include "services/mail/name.h"
#include "services/mail/settings.h"
#include "services/mail/trouble.h"

#include <stdbool.h>
#include <stdint.h>

struct mailbox {
	char login[LOGIN_SIZE];
	bool sync;
	/* Descriptors, -1 where not open. */
	int folder;
	int tmp;
	int new;
	int lock; /* only in a mailbox that was opened to add to it */
};

/*
 * Opens login's mailbox to add to it, and makes what is missing of it.  What it made is on the disk
 * when it returns.  Returns 0, or -1 with *trouble.
 */
int mailbox_open_to_add(const struct settings *settings, const char *login, struct mailbox *mailbox,
	struct trouble *trouble);

/*
 * Opens login's mailbox to take messages out, and makes nothing of it.  Returns 1, 0 where there is
 * no such mailbox, or -1 with *trouble.
 */
int mailbox_open_to_take(const struct settings *settings, const char *login,
	struct mailbox *mailbox, struct trouble *trouble);

/* Closes what is open; the lock goes with it. */
void mailbox_close(struct mailbox *mailbox);

/*
 * Waits for the right to add, 10 seconds at most: it is held for the time of a rename.
 * Returns 0, or -1 with *trouble.
 */
int mailbox_lock(const struct mailbox *mailbox, struct trouble *trouble);

void mailbox_unlock(const struct mailbox *mailbox);

/* Told of each file of new/; name is NULL where file is no message's name.  0: go on. */
typedef int (*mailbox_cb)(void *owner, const char *file, const struct name *name);

/*
 * Calls back for each file of new/, in no order.  Returns 0, the first other answer of the
 * callback, or -1 with *trouble.
 */
int mailbox_each(
	const struct mailbox *mailbox, mailbox_cb callback, void *owner, struct trouble *trouble);

/* Makes what was renamed or removed in new/ last.  Returns 0, or -1 with *trouble. */
int mailbox_sync(const struct mailbox *mailbox, struct trouble *trouble);

/* Removes what has lain in tmp/ for a day: its writer was killed. */
void mailbox_sweep(const struct mailbox *mailbox);

/* A lock of the whole file that ends with the open file description; never waits.  As fcntl(2). */
int mailbox_claim(int fd);

#endif
