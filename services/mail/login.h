/*
 * login: the names of users, exactly six characters of A-Z a-z 0-9 _ -.
 */
#ifndef SERVICES_MAIL_LOGIN_H
#define SERVICES_MAIL_LOGIN_H

#include "services/mail/exchange.h"

#include <stdbool.h>
#include <stddef.h>

#define LOGIN_LENGTH 6
#define LOGIN_SIZE (LOGIN_LENGTH + 1)

/* Whether one character may stand in a login. */
bool login_has(char character);

/* Whether length bytes are a login. */
bool login_valid(const char *bytes, size_t length);

/*
 * Reads a login and its newline, which must be the seventh byte, into login.  Returns 1, 0 as soon
 * as it can be none, or -1 with errno (ETIMEDOUT).
 */
int login_read(struct exchange *exchange, char login[LOGIN_SIZE]);

#endif
