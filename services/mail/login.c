/*
 * login: the names of users.
 */
#include "config.h"

#include "services/mail/login.h"

bool login_has(char character)
{
	return (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z') ||
	       (character >= '0' && character <= '9') || character == '_' || character == '-';
}

bool login_valid(const char *bytes, size_t length)
{
	if (length != LOGIN_LENGTH)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!login_has(bytes[i]))
			return false;
	return true;
}

int login_read(struct exchange *exchange, char login[LOGIN_SIZE])
{
	for (size_t i = 0; i < LOGIN_SIZE; i++) {
		char byte = 0;
		int got = exchange_byte(exchange, &byte);

		if (got <= 0)
			return got;
		if (i == LOGIN_LENGTH ? byte != '\n' : !login_has(byte))
			return 0;
		login[i] = byte;
	}
	login[LOGIN_LENGTH] = '\0';
	return 1;
}
