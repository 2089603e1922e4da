/*
 * name: what a client of the room may be called.
 */
#ifndef SERVICES_CHATROOM_NAME_H
#define SERVICES_CHATROOM_NAME_H

#include <stdbool.h>
#include <stdint.h>

/* Longest name and room for it with its NUL. */
#define NAME_MAX_LENGTH 16
#define NAME_SIZE (NAME_MAX_LENGTH + 1)

/* Names given to those who come: GUEST_PREFIX and a number of at most GUEST_MAX, which still fits.
 */
#define NAME_GUEST_PREFIX "guest"
#define NAME_GUEST_MAX UINT64_C(99999999999)

/* Whether name is one: 1 to 16 of A-Z a-z 0-9 _ -. */
bool name_valid(const char *name);

/*
 * Whether two names are one to a reader: "Maria" and "maria" are, so that nobody passes for
 * somebody else.
 */
bool name_same(const char *one, const char *other);

/* Writes "guest7"; number is at most NAME_GUEST_MAX. */
void name_guest(char name[NAME_SIZE], uint64_t number);

#endif
