/*
 * delivery: one message on its way into a mailbox.
 */
#include "config.h"

#include "services/mail/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_ATTEMPTS 10

/* What new/ holds. */
struct census {
	uint64_t messages;
	uint64_t bytes;
	int64_t last_key_ns;
};

static int census_count(void *owner, const char *file, const struct name *name)
{
	struct census *census = owner;

	(void)file;
	if (name == NULL)
		return 0;
	census->messages++;
	census->bytes += name->bytes;
	if (name->key_ns > census->last_key_ns)
		census->last_key_ns = name->key_ns;
	return 0;
}

/* Counts new/ and says whether one more message of so many bytes fits. */
static enum delivery_result census_take(const struct delivery *delivery, uint64_t bytes,
	struct census *census, struct trouble *trouble)
{
	const struct settings *settings = delivery->settings;

	*census = (struct census){0};
	if (mailbox_each(delivery->mailbox, census_count, census, trouble) != 0)
		return DELIVERY_FAILED;
	if (census->messages >= settings->max_messages || census->bytes > settings->max_bytes ||
		bytes > settings->max_bytes - census->bytes)
		return DELIVERY_FULL;
	return DELIVERY_DONE;
}

enum delivery_result delivery_begin(struct delivery *delivery, const struct settings *settings,
	const struct mailbox *mailbox, uint64_t bytes, struct trouble *trouble)
{
	struct census census;
	enum delivery_result result;

	*delivery = (struct delivery){.settings = settings, .mailbox = mailbox, .fd = -1};
	result = census_take(delivery, bytes, &census, trouble);
	if (result != DELIVERY_DONE)
		return result;
	for (unsigned attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		name_unique(attempt, delivery->unique);
		name_format_tmp(name_now_ns(), delivery->unique, delivery->tmp);
		delivery->fd = openat(mailbox->tmp, delivery->tmp,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (delivery->fd >= 0)
			return DELIVERY_DONE;
		if (errno != EEXIST)
			break;
	}
	trouble_set(trouble, errno, "cannot make a file in %s/tmp", mailbox->login);
	return DELIVERY_FAILED;
}

int delivery_write(
	struct delivery *delivery, const char *data, size_t size, struct trouble *trouble)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = write(delivery->fd, data + done, size - done);

		if (put < 0 && errno != EINTR)
			return trouble_set(
				trouble, errno, "cannot write %s/tmp", delivery->mailbox->login);
		if (put > 0)
			done += (size_t)put;
	}
	delivery->bytes += size;
	return 0;
}

/* Syncs and closes the file in tmp/. */
static int file_finish(struct delivery *delivery, struct trouble *trouble)
{
	int fd = delivery->fd;
	int failed = 0;

	if (delivery->settings->sync && fsync(fd) != 0)
		failed = errno;
	/* Network file systems may tell of a full disk only here. */
	if (close(fd) != 0 && failed == 0)
		failed = errno;
	delivery->fd = -1;
	if (failed != 0)
		return trouble_set(trouble, failed, "cannot write %s/tmp/%s",
			delivery->mailbox->login, delivery->tmp);
	return 0;
}

/* With the mailbox locked: from tmp/ to new/. */
static enum delivery_result file_move(struct delivery *delivery, const char *sender,
	char file[NAME_SIZE], struct trouble *trouble)
{
	const struct mailbox *mailbox = delivery->mailbox;
	struct name name = {.bytes = delivery->bytes, .key_ns = name_now_ns()};
	struct census census;
	enum delivery_result result = census_take(delivery, delivery->bytes, &census, trouble);

	if (result != DELIVERY_DONE)
		return result;
	name.date_s = name.key_ns / NAME_NS_PER_S;
	/* Behind all that are there, also after the clock went back.  So no name is taken, too. */
	if (name.key_ns <= census.last_key_ns)
		name.key_ns = census.last_key_ns + 1;
	memcpy(name.sender, sender, LOGIN_SIZE);
	memcpy(name.unique, delivery->unique, sizeof(name.unique));
	name_format(&name, file);
	if (renameat(mailbox->tmp, delivery->tmp, mailbox->new, file) != 0) {
		trouble_set(
			trouble, errno, "cannot rename %s/tmp/%s", mailbox->login, delivery->tmp);
		return DELIVERY_FAILED;
	}
	delivery->tmp[0] = '\0';
	return DELIVERY_DONE;
}

enum delivery_result delivery_commit(
	struct delivery *delivery, const char *sender, struct trouble *trouble)
{
	const struct mailbox *mailbox = delivery->mailbox;
	enum delivery_result result;
	char file[NAME_SIZE];

	if (file_finish(delivery, trouble) != 0 || mailbox_lock(mailbox, trouble) != 0)
		return DELIVERY_FAILED;
	result = file_move(delivery, sender, file, trouble);
	mailbox_unlock(mailbox);
	if (result != DELIVERY_DONE)
		return result;
	if (mailbox_sync(mailbox, trouble) != 0) {
		/* It will not be answered with 250, so better it never was. */
		unlinkat(mailbox->new, file, 0);
		return DELIVERY_FAILED;
	}
	return DELIVERY_DONE;
}

void delivery_end(struct delivery *delivery)
{
	if (delivery->fd >= 0)
		close(delivery->fd);
	delivery->fd = -1;
	if (delivery->tmp[0] != '\0')
		unlinkat(delivery->mailbox->tmp, delivery->tmp, 0);
	delivery->tmp[0] = '\0';
}
