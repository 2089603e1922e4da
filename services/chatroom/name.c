/*
 * name: what a client of the room may be called.
 */
#include "config.h"

#include "services/chatroom/name.h"
#include "services/lib/text.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

bool name_valid(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";
	size_t length = strlen(name);

	return length > 0 && length <= NAME_MAX_LENGTH && strspn(name, allowed) == length;
}

bool name_same(const char *one, const char *other)
{
	return strcasecmp(one, other) == 0;
}

void name_guest(char name[NAME_SIZE], uint64_t number)
{
	struct text text;

	text_begin(&text, name, NAME_SIZE);
	text_add(&text, NAME_GUEST_PREFIX);
	text_add_unsigned(&text, number);
}
