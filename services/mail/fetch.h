/*
 * fetch: the dialogue that hands a user's messages out.
 */
#ifndef SERVICES_MAIL_FETCH_H
#define SERVICES_MAIL_FETCH_H

#include "services/mail/settings.h"

/* Serves the client on in and out.  Returns the exit status; STATUS_DONE: all was deleted. */
int fetch_run(const struct settings *settings, int in, int out);

#endif
