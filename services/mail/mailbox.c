/*
 * mailbox: one user's folder in the spool.
 */
#include "config.h"

#include "services/mail/mailbox.h"
#include "services/lib/note.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER_MODE 0700
#define FILE_MODE 0600

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* O_NONBLOCK: a planted FIFO must not hold the process. */
#define LOCK_FLAGS (O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

#define LOCK_WAIT_NS (10 * NAME_NS_PER_S)
#define LOCK_FIRST_PAUSE_NS 100000L
#define LOCK_LONGEST_PAUSE_NS 10000000L

#define STALE_S 86400

static const struct mailbox mailbox_none = {.folder = -1, .tmp = -1, .new = -1, .lock = -1};

/*
 * Whether fd is of that type, this user's, and nobody else may write to it.  Closes it otherwise.
 * Returns fd, or -1 with *trouble; what names it.
 */
static int own_check(int fd, mode_t type, const char *what, struct trouble *trouble)
{
	struct stat stat;

	if (fstat(fd, &stat) != 0)
		trouble_set(trouble, errno, "cannot look at %s", what);
	else if ((stat.st_mode & S_IFMT) != type)
		trouble_set(trouble, 0, "%s is not what it should be", what);
	else if (stat.st_uid != geteuid())
		trouble_set(trouble, 0, "%s belongs to user %ld and not to user %ld, who runs this",
			what, (long)stat.st_uid, (long)geteuid());
	else if ((stat.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		trouble_set(trouble, 0, "others may write to %s", what);
	else
		return fd;
	close(fd);
	return -1;
}

/*
 * Opens a file or folder below parent, which is called above.  Returns its descriptor, or -1 with
 * *trouble (its code is ENOENT where there is none).
 */
static int part_open(
	int parent, const char *above, const char *name, int flags, struct trouble *trouble)
{
	int fd = openat(parent, name, flags, FILE_MODE);
	char what[NAME_SIZE + LOGIN_SIZE];

	snprintf(what, sizeof(what), "%s/%s", above, name);
	if (fd < 0)
		return trouble_set(trouble, errno, "cannot open %s", what);
	return own_check(fd, (flags & O_DIRECTORY) != 0 ? S_IFDIR : S_IFREG, what, trouble);
}

static int folder_sync(int fd, bool sync, const char *what, struct trouble *trouble)
{
	if (sync && fsync(fd) != 0)
		return trouble_set(trouble, errno, "cannot fsync %s", what);
	return 0;
}

/* Makes the entry of the spool in the folder above last. */
static int spool_parent_sync(const char *spool, struct trouble *trouble)
{
	char above[PATH_MAX];
	int fd, result;

	if (snprintf(above, sizeof(above), "%s/..", spool) >= (int)sizeof(above))
		return trouble_set(trouble, ENAMETOOLONG, "cannot open %s/..", spool);
	fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return trouble_set(trouble, errno, "cannot open %s", above);
	result = folder_sync(fd, true, above, trouble);
	close(fd);
	return result;
}

/*
 * Opens the spool, and makes it if it is not there but the folder above is.  Its path is the
 * administrator's: it may go through symbolic links.
 */
static int spool_open(const struct settings *settings, struct trouble *trouble)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = open(settings->spool, flags);

	if (fd < 0 && errno == ENOENT) {
		if (mkdir(settings->spool, FOLDER_MODE) != 0 && errno != EEXIST)
			return trouble_set(trouble, errno, "cannot make %s", settings->spool);
		if (settings->sync && spool_parent_sync(settings->spool, trouble) != 0)
			return -1;
		fd = open(settings->spool, flags);
	}
	if (fd < 0)
		return trouble_set(trouble, errno, "cannot open %s", settings->spool);
	return own_check(fd, S_IFDIR, settings->spool, trouble);
}

static int folder_make(int parent, const char *above, const char *name, struct trouble *trouble)
{
	if (mkdirat(parent, name, FOLDER_MODE) != 0 && errno != EEXIST)
		return trouble_set(trouble, errno, "cannot make %s/%s", above, name);
	return 0;
}

/* Opens the folders of the mailbox.  Returns 0, or -1 with *trouble; mailbox_close() follows. */
static int folders_open(int spool, struct mailbox *mailbox, struct trouble *trouble)
{
	const char *login = mailbox->login;

	mailbox->folder = part_open(spool, "spool", login, FOLDER_FLAGS, trouble);
	if (mailbox->folder < 0)
		return -1;
	mailbox->new = part_open(mailbox->folder, login, "new", FOLDER_FLAGS, trouble);
	if (mailbox->new < 0)
		return -1;
	mailbox->tmp = part_open(mailbox->folder, login, "tmp", FOLDER_FLAGS, trouble);
	return mailbox->tmp < 0 ? -1 : 0;
}

/*
 * Makes what is missing.  The lock file comes last, once the folders are on the disk: whoever
 * finds it need not ask whether the maker of the folders had got that far.
 */
static int mailbox_make(int spool, struct mailbox *mailbox, struct trouble *trouble)
{
	const char *login = mailbox->login;

	if (folder_make(spool, "spool", login, trouble) != 0)
		return -1;
	mailbox->folder = part_open(spool, "spool", login, FOLDER_FLAGS, trouble);
	if (mailbox->folder < 0 || folder_make(mailbox->folder, login, "new", trouble) != 0 ||
		folder_make(mailbox->folder, login, "tmp", trouble) != 0)
		return -1;
	if (folder_sync(mailbox->folder, mailbox->sync, login, trouble) != 0 ||
		folder_sync(spool, mailbox->sync, "the spool", trouble) != 0)
		return -1;
	mailbox->lock = part_open(mailbox->folder, login, "lock", LOCK_FLAGS | O_CREAT, trouble);
	return mailbox->lock < 0 ? -1 : 0;
}

static void mailbox_begin(
	const struct settings *settings, const char *login, struct mailbox *mailbox)
{
	*mailbox = mailbox_none;
	mailbox->sync = settings->sync;
	memcpy(mailbox->login, login, LOGIN_SIZE);
}

/* Opens folders and lock.  Returns 0, or -1 with *trouble. */
static int parts_open(int spool, struct mailbox *mailbox, struct trouble *trouble)
{
	if (folders_open(spool, mailbox, trouble) != 0)
		return -1;
	mailbox->lock = part_open(mailbox->folder, mailbox->login, "lock", LOCK_FLAGS, trouble);
	return mailbox->lock < 0 ? -1 : 0;
}

int mailbox_open_to_add(const struct settings *settings, const char *login, struct mailbox *mailbox,
	struct trouble *trouble)
{
	int spool = spool_open(settings, trouble);
	int result;

	mailbox_begin(settings, login, mailbox);
	if (spool < 0)
		return -1;
	result = parts_open(spool, mailbox, trouble);
	if (result != 0 && trouble->code == ENOENT) {
		mailbox_close(mailbox);
		result = mailbox_make(spool, mailbox, trouble);
		mailbox_close(mailbox);
		if (result == 0)
			result = parts_open(spool, mailbox, trouble);
	}
	close(spool);
	if (result != 0)
		mailbox_close(mailbox);
	return result;
}

int mailbox_open_to_take(const struct settings *settings, const char *login,
	struct mailbox *mailbox, struct trouble *trouble)
{
	int spool = spool_open(settings, trouble);
	int result;

	mailbox_begin(settings, login, mailbox);
	if (spool < 0)
		return -1;
	result = folders_open(spool, mailbox, trouble);
	close(spool);
	if (result == 0)
		return 1;
	mailbox_close(mailbox);
	return trouble->code == ENOENT ? 0 : -1;
}

static void part_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void mailbox_close(struct mailbox *mailbox)
{
	part_close(&mailbox->lock);
	part_close(&mailbox->tmp);
	part_close(&mailbox->new);
	part_close(&mailbox->folder);
}

static int whole_file_lock(int fd, short type)
{
	struct flock whole = {.l_type = type, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &whole);
}

int mailbox_claim(int fd)
{
	return whole_file_lock(fd, F_WRLCK);
}

int mailbox_lock(const struct mailbox *mailbox, struct trouble *trouble)
{
	struct timespec pause = {.tv_nsec = LOCK_FIRST_PAUSE_NS};
	int64_t waited_ns = 0;

	/* Tried again and again instead of F_OFD_SETLKW: a stopped holder must not stop us too. */
	while (mailbox_claim(mailbox->lock) != 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return trouble_set(trouble, errno, "cannot lock %s", mailbox->login);
		if (waited_ns >= LOCK_WAIT_NS)
			return trouble_set(trouble, 0, "%s has been locked for %d s",
				mailbox->login, (int)(LOCK_WAIT_NS / NAME_NS_PER_S));
		nanosleep(&pause, NULL);
		waited_ns += pause.tv_nsec;
		if (pause.tv_nsec < LOCK_LONGEST_PAUSE_NS)
			pause.tv_nsec *= 2;
	}
	return 0;
}

void mailbox_unlock(const struct mailbox *mailbox)
{
	whole_file_lock(mailbox->lock, F_UNLCK);
}

/* A stream over a folder that is open already, from its first entry on. */
static DIR *entries_open(int folder)
{
	int fd = openat(folder, ".", FOLDER_FLAGS);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && entries == NULL) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return entries;
}

/* The next entry but "." and ".."; NULL at the end, or with errno other than 0. */
static const char *entry_next(DIR *entries)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(entries);
	} while (entry != NULL &&
		 (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry == NULL ? NULL : entry->d_name;
}

int mailbox_each(
	const struct mailbox *mailbox, mailbox_cb callback, void *owner, struct trouble *trouble)
{
	DIR *entries = entries_open(mailbox->new);
	const char *file;
	int result = 0;

	if (entries == NULL)
		return trouble_set(trouble, errno, "cannot list %s/new", mailbox->login);
	while (result == 0 && (file = entry_next(entries)) != NULL) {
		struct name name;

		result = callback(owner, file, name_parse(file, &name) == 0 ? &name : NULL);
	}
	if (result == 0 && errno != 0)
		result = trouble_set(trouble, errno, "cannot list %s/new", mailbox->login);
	closedir(entries);
	return result;
}

int mailbox_sync(const struct mailbox *mailbox, struct trouble *trouble)
{
	return folder_sync(mailbox->new, mailbox->sync, mailbox->login, trouble);
}

void mailbox_sweep(const struct mailbox *mailbox)
{
	DIR *entries = entries_open(mailbox->tmp);
	time_t oldest = time(NULL) - STALE_S;
	const char *file;

	if (entries == NULL)
		return;
	while ((file = entry_next(entries)) != NULL) {
		struct stat stat;

		/* By the time of its last write: its name may come from a clock that was wrong. */
		if (fstatat(mailbox->tmp, file, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
			stat.st_mtime < oldest && unlinkat(mailbox->tmp, file, 0) == 0)
			note("removed ", mailbox->login, "/tmp/", file,
				", which was never finished", NULL);
	}
	closedir(entries);
}
