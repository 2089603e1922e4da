/*
 * send: the dialogue that takes one message in.
 */
#ifndef SERVICES_MAIL_SEND_H
#define SERVICES_MAIL_SEND_H

#include "services/mail/settings.h"

/* Serves the client on in and out.  Returns the exit status. */
int send_run(const struct settings *settings, int in, int out);

#endif
