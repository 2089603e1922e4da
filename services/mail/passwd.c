/*
 * passwd: the password file.
 */
#include "config.h"

#include "services/mail/passwd.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE 1048576

/* For files without any usable hash: the strangers' cost must come from somewhere. */
#define DUMMY_SETTING "$6$messenger.nobody$"

/* One line of the file: login and hash where it is one. */
struct passwd_line {
	const char *login;
	const char *hash;
	size_t hash_length;
};

/* Takes the next usable line out of *text.  Returns whether there was one. */
static bool line_next(const char **text, struct passwd_line *line)
{
	while (**text != '\0') {
		const char *begin = *text;
		size_t length = strcspn(begin, "\n");

		*text = begin[length] == '\n' ? begin + length + 1 : begin + length;
		if (length > 0 && begin[length - 1] == '\r')
			length--;
		if (length <= LOGIN_LENGTH + 1 || begin[LOGIN_LENGTH] != ':' ||
			!login_valid(begin, LOGIN_LENGTH))
			continue;
		line->login = begin;
		line->hash = begin + LOGIN_LENGTH + 1;
		line->hash_length = length - LOGIN_LENGTH - 1;
		if (line->hash_length < PASSWD_HASH_SIZE)
			return true;
	}
	return false;
}

/* A hash that crypt(3) may work with; "*" and "!" lock a user out. */
static bool line_usable(const struct passwd_line *line)
{
	return line->hash[0] != '*' && line->hash[0] != '!';
}

static void hash_copy(const struct passwd_line *line, char hash[PASSWD_HASH_SIZE])
{
	memcpy(hash, line->hash, line->hash_length);
	hash[line->hash_length] = '\0';
}

/* Which of count users a stranger is treated as. */
static size_t stranger_index(const char *login, size_t count)
{
	uint32_t sum = 2166136261U; /* FNV-1a */

	for (; *login != '\0'; login++)
		sum = (sum ^ (unsigned char)*login) * 16777619U;
	return sum % count;
}

bool passwd_find(const char *text, const char *login, char hash[PASSWD_HASH_SIZE])
{
	const char *rest = text;
	struct passwd_line line;
	bool seen = false, found = false;
	size_t usable = 0, index;

	hash[0] = '\0';
	while (line_next(&rest, &line)) {
		if (line_usable(&line))
			usable++;
		/* The first line of a login counts: a second must not unlock it. */
		if (!seen && memcmp(line.login, login, LOGIN_LENGTH) == 0) {
			seen = true;
			found = line_usable(&line);
			if (found)
				hash_copy(&line, hash);
		}
	}
	if (found || usable == 0)
		return found;
	index = stranger_index(login, usable);
	rest = text;
	while (line_next(&rest, &line)) {
		if (!line_usable(&line) || index-- > 0)
			continue;
		hash_copy(&line, hash);
		break;
	}
	return false;
}

/*
 * Opens the file, which must be one that nobody but root and this user can have written.  Returns
 * its descriptor with its length, or -1 with *trouble.
 */
static int file_open(const char *file, size_t *length, struct trouble *trouble)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat stat;

	if (fd < 0)
		return trouble_set(trouble, errno, "cannot read %s", file);
	if (fstat(fd, &stat) != 0)
		trouble_set(trouble, errno, "cannot look at %s", file);
	else if (!S_ISREG(stat.st_mode) || stat.st_size > MAX_FILE)
		trouble_set(trouble, 0, "%s is no file of at most %d bytes", file, MAX_FILE);
	else if (stat.st_uid != 0 && stat.st_uid != geteuid())
		trouble_set(trouble, 0, "%s belongs to user %ld, who is neither root nor runs this",
			file, (long)stat.st_uid);
	else if ((stat.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		trouble_set(trouble, 0, "others may write to %s", file);
	else {
		*length = (size_t)stat.st_size;
		return fd;
	}
	close(fd);
	return -1;
}

/* Reads at most size bytes.  Returns how many, or -1 with errno. */
static ssize_t bytes_read(int fd, char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, bytes + done, size - done);

		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0)
			break;
		if (got > 0)
			done += (size_t)got;
	}
	return (ssize_t)done;
}

/* Reads the whole file.  Returns its text, which the caller frees, or NULL with *trouble. */
static char *file_read(const char *file, struct trouble *trouble)
{
	size_t size = 0;
	int fd = file_open(file, &size, trouble);
	char *text;
	ssize_t got;

	if (fd < 0)
		return NULL;
	text = malloc(size + 1);
	got = text != NULL ? bytes_read(fd, text, size) : -1;
	if (got < 0) {
		trouble_set(trouble, errno, "cannot read %s", file);
		free(text);
		text = NULL;
	} else {
		text[got] = '\0';
	}
	close(fd);
	return text;
}

/* Compares without telling by its time how much is equal. */
static bool hash_equal(const char *one, const char *other)
{
	size_t length = strlen(one);
	unsigned char differs = 0;

	if (strlen(other) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		differs |= (unsigned char)(one[i] ^ other[i]);
	return differs == 0;
}

/* Whether password makes hash.  Work is done also where the hash is no good. */
static bool hash_matches(const char *password, const char *hash, struct crypt_data *work)
{
	const char *made = crypt_rn(password, hash, work, (int)sizeof(*work));

	if (made != NULL)
		return hash_equal(made, hash);
	crypt_rn(password, DUMMY_SETTING, work, (int)sizeof(*work));
	return false;
}

int passwd_check(const char *file, const char *login, const char *password, struct trouble *trouble)
{
	char hash[PASSWD_HASH_SIZE];
	char *text = file_read(file, trouble);
	struct crypt_data *work = calloc(1, sizeof(*work));
	int result = -1;
	bool known;

	if (text == NULL)
		goto out;
	if (work == NULL) {
		trouble_set(trouble, ENOMEM, "cannot check a password");
		goto out;
	}
	known = passwd_find(text, login, hash);
	/* Both are computed before either is looked at. */
	result = (hash_matches(password, hash, work) & known) ? 1 : 0;
out:
	if (work != NULL)
		explicit_bzero(work, sizeof(*work));
	free(work);
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
	explicit_bzero(hash, sizeof(hash));
	return result;
}
