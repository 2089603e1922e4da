/*
 * control_client: the other end of the control socket, for superctl and superd --diff.
 */
#ifndef SUPERD_CONTROL_CLIENT_H
#define SUPERD_CONTROL_CLIENT_H

#include "superd/error.h"

#include <jansson.h>
#include <stddef.h>

/*
 * Sends the words as a request to the superd at path and waits for the whole answer, at most
 * timeout_ms for its next byte; an answer that was cut, because the configuration changed under
 * it, is asked for again. Returns 0 with *answer, an object with the member "ok", the caller's to
 * json_decref(); or -1 with *error where there is no answer.
 */
int control_client_ask(const char *path, const char *const *words, size_t count, int timeout_ms,
	json_t **answer, struct error *error);

#endif
