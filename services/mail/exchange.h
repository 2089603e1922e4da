/*
 * exchange: one dialogue's two descriptors, its input buffer and its time.
 *
 * Two times bound a dialogue: the idle time counts anew from each byte that moves; the total
 * time does not, so that a client that trickles cannot hold a process for days.
 */
#ifndef SERVICES_MAIL_EXCHANGE_H
#define SERVICES_MAIL_EXCHANGE_H

#include "services/lib/io.h"
#include "services/mail/settings.h"
#include "services/mail/trouble.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define EXCHANGE_BUFFER 65536

struct exchange {
	int in, out; /* often the same socket; the caller's */
	struct io_deadline deadline;
	size_t start, end; /* what was read and not taken yet */
	char buffer[EXCHANGE_BUFFER];
};

void exchange_begin(struct exchange *exchange, const struct settings *settings, int in, int out);

/* The next byte.  Returns 1, 0 at end of file, or -1 with errno (ETIMEDOUT). */
int exchange_byte(struct exchange *exchange, char *byte);

/*
 * At least one and at most max of the next bytes, in the buffer until the next call.
 * Returns how many, 0 at end of file, or -1 with errno (ETIMEDOUT).
 */
ssize_t exchange_take(struct exchange *exchange, size_t max, const char **data);

/*
 * A whole line without its newline into line, which has room for size bytes, NUL-terminated; it
 * holds no NUL itself.  Returns 1, 0 where there is none (too long, ended early, a NUL in it),
 * or -1 with errno (ETIMEDOUT).
 */
int exchange_line(struct exchange *exchange, char *line, size_t size);

/*
 * The last word: writes the line by printf and ends the connection in order.  A client that is
 * still sending gets to see the line: what it sends is read away, within bounds of size and time.
 * Returns status.
 */
int exchange_answer(struct exchange *exchange, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * After a failed read, with errno: answers 421 at a time-out; logs what else it was.  Returns the
 * exit status.
 */
int exchange_failed(struct exchange *exchange);

/*
 * Logs trouble, answers 451 (where something was to be stored and the storage is to blame 452 with
 * the reason) and returns the exit status.
 */
int exchange_trouble(struct exchange *exchange, const struct trouble *trouble, bool storing);

/* Logs a line about the client by printf. */
void exchange_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
