/*
 * settings: what the command line of messenger says, the same for both dialogues.
 */
#ifndef SERVICES_MAIL_SETTINGS_H
#define SERVICES_MAIL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	const char *spool; /* the folder of all mailboxes, as the administrator wrote it */
	uint64_t max_message;
	uint64_t max_messages; /* per mailbox */
	uint64_t max_bytes;    /* per mailbox */
	bool announced;        /* send -l: a line BYTES n comes before the message */
	bool sync;             /* false (--no-fsync): a power cut may lose answered messages */
	const char *passwd;    /* fetch: the password file; NULL: nobody is asked for one */
	int idle_ms;           /* longest wait for the client's next byte; IO_FOREVER: none */
	int total_ms;          /* longest dialogue; IO_FOREVER: none */
};

#endif
