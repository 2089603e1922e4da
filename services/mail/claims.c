/*
 * claims: the messages of a mailbox that one fetch has for itself.
 */
#include "config.h"

#include "services/mail/claims.h"
#include "services/lib/note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_SIZE 64

struct collector {
	const struct mailbox *mailbox;
	struct claims *claims;
	size_t size; /* of the list */
};

/* Adds one name to the list. */
static int name_collect(void *owner, const char *file, const struct name *name)
{
	struct collector *collector = owner;
	struct claims *claims = collector->claims;
	struct claim *claim;

	if (name == NULL) {
		note(collector->mailbox->login, "/new/", file, ": no message; it is left alone",
			NULL);
		return 0;
	}
	if (claims->count == collector->size) {
		size_t size = collector->size == 0 ? FIRST_SIZE : 2 * collector->size;
		struct claim *list = reallocarray(claims->list, size, sizeof(*list));

		if (list == NULL)
			return 1;
		claims->list = list;
		collector->size = size;
	}
	claim = &claims->list[claims->count++];
	claim->name = *name;
	claim->fd = -1;
	strcpy(claim->file, file); /* name_parse() has seen that it fits */
	return 0;
}

static int by_name(const void *one, const void *other)
{
	const struct claim *first = one, *second = other;

	return strcmp(first->file, second->file);
}

/* Every message takes a descriptor: as many as this process may have. */
static void descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Whether the open, locked file is still the one of that name: who had it before may have
   removed it. */
static bool file_current(const struct mailbox *mailbox, const char *file, const struct stat *opened)
{
	struct stat named;

	return opened->st_nlink > 0 &&
	       fstatat(mailbox->new, file, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_dev == opened->st_dev && named.st_ino == opened->st_ino;
}

/* Logs why a name in new/ is passed over.  One odd file must not keep the others from their
   reader. */
static int file_skip(const struct mailbox *mailbox, const struct claim *claim, const char *why)
{
	note(mailbox->login, "/new/", claim->file, ": ", why, "; it is left alone", NULL);
	return 0;
}

/* Locks an open file and looks at it.  Returns 1 claimed, 0 not to be had. */
static int file_claim(const struct mailbox *mailbox, struct claim *claim)
{
	struct stat stat;

	if (fstat(claim->fd, &stat) != 0)
		return file_skip(mailbox, claim, strerror(errno));
	if (!S_ISREG(stat.st_mode) || stat.st_uid != geteuid())
		return file_skip(mailbox, claim, "not a file of this user");
	if (mailbox_claim(claim->fd) != 0) {
		if (errno == EAGAIN || errno == EACCES)
			return 0; /* another fetch has it */
		return file_skip(mailbox, claim, strerror(errno));
	}
	if (fstat(claim->fd, &stat) != 0 || !file_current(mailbox, claim->file, &stat))
		return 0;
	claim->bytes = (uint64_t)stat.st_size;
	return 1;
}

/*
 * Opens and claims one message.  Returns 1 claimed, 0 not to be had, or -1 with errno where all
 * further ones will fail, too.
 */
static int claim_take(const struct mailbox *mailbox, struct claim *claim)
{
	int result;

	claim->fd = openat(mailbox->new, claim->file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (claim->fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EROFS)
			return -1;
		/* Removed by another fetch, or a link, a folder, ... */
		return errno == ENOENT ? 0 : file_skip(mailbox, claim, strerror(errno));
	}
	result = file_claim(mailbox, claim);
	if (result != 1) {
		close(claim->fd);
		claim->fd = -1;
	}
	return result;
}

/* Claims what is listed and keeps what could be had in the list. */
static int list_claim(const struct mailbox *mailbox, struct claims *claims, struct trouble *trouble)
{
	size_t listed = claims->count;

	claims->count = 0;
	for (size_t i = 0; i < listed; i++) {
		struct claim *claim = &claims->list[i];
		int result = claim_take(mailbox, claim);

		if (result < 0 && claims->count == 0)
			return trouble_set(trouble, errno, "cannot open %s/new/%s", mailbox->login,
				claim->file);
		if (result < 0)
			break; /* the rest is for the next fetch */
		if (result == 1)
			claims->list[claims->count++] = *claim;
	}
	return 0;
}

int claims_take(const struct mailbox *mailbox, struct claims *claims, struct trouble *trouble)
{
	struct collector collector = {.mailbox = mailbox, .claims = claims};
	int collected;

	*claims = (struct claims){0};
	collected = mailbox_each(mailbox, name_collect, &collector, trouble);
	if (collected > 0)
		return trouble_set(trouble, ENOMEM, "cannot list %s", mailbox->login);
	if (collected < 0)
		return -1;
	if (claims->count > 1)
		qsort(claims->list, claims->count, sizeof(*claims->list), by_name);
	descriptors_raise();
	return list_claim(mailbox, claims, trouble);
}

int claims_delete(
	const struct mailbox *mailbox, const struct claims *claims, struct trouble *trouble)
{
	for (size_t i = 0; i < claims->count; i++) {
		const char *file = claims->list[i].file;

		if (unlinkat(mailbox->new, file, 0) != 0 && errno != ENOENT)
			return trouble_set(
				trouble, errno, "cannot remove %s/new/%s", mailbox->login, file);
	}
	return mailbox_sync(mailbox, trouble);
}

void claims_free(struct claims *claims)
{
	for (size_t i = 0; i < claims->count; i++)
		close(claims->list[i].fd);
	free(claims->list);
	*claims = (struct claims){0};
}
