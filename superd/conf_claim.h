/*
 * conf_claim: which endpoint belongs to which service, so that none is taken twice.
 */
#ifndef SUPERD_CONF_CLAIM_H
#define SUPERD_CONF_CLAIM_H

#include "superd/conf_build.h"

#include <stdbool.h>

/*
 * Takes socket for the service under construction.  Where another one, or it itself, has the
 * same endpoint, or its wildcard address, that is a problem; returns whether it was told.
 */
bool conf_claim(
	struct conf_making *making, const struct conf_socket *socket, const struct conf_file *file);

/* Whether an option that applies to such endpoints means anything to service. */
bool conf_service_applies(const struct conf_service *service, enum conf_applies applies);

/* Whether a socket of service goes to the program itself. */
bool conf_service_has_wait(const struct conf_service *service);

#endif
