/*
 * passwd: the password file, lines "login:hash" with hashes of crypt(3).  Empty lines and lines
 * that begin with '#' are ignored.
 */
#ifndef SERVICES_MAIL_PASSWD_H
#define SERVICES_MAIL_PASSWD_H

#include "services/mail/login.h"
#include "services/mail/trouble.h"

#include <stdbool.h>

/* Longest hash and password that are taken, with their NULs. */
#define PASSWD_HASH_SIZE 384
#define PASSWD_PASSWORD_SIZE 512

/*
 * Finds the hash of login in text, which is NUL-terminated, and writes it to hash.  Returns
 * whether there is one.  Otherwise hash is one of those of the other users, always the same for
 * the same login, so that a stranger costs what a user costs ("" where the text has none).
 */
bool passwd_find(const char *text, const char *login, char hash[PASSWD_HASH_SIZE]);

/*
 * Whether it is login's password by the file.  Takes as long for a login that is not there.
 * Returns 1, 0, or -1 with *trouble.
 */
int passwd_check(
	const char *file, const char *login, const char *password, struct trouble *trouble);

#endif
