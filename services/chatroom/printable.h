/*
 * printable: makes what one client sends fit for the terminals of the others.
 */
#ifndef SERVICES_CHATROOM_PRINTABLE_H
#define SERVICES_CHATROOM_PRINTABLE_H

#include <stddef.h>

/*
 * Replaces in the length bytes of text every control character (C0, DEL, and C1 in UTF-8) and every
 * byte that is not part of valid UTF-8 (a terminal may take 0x9b for an escape sequence) by '?', a
 * tabulator by a blank.  The length stays the same, and no NUL is left.
 */
void printable_replace(char *text, size_t length);

#endif
