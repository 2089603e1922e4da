/*
 * super_explain: the verb explain: what decides for a client, and what runs for it now.
 */
#ifndef SUPERD_SUPER_EXPLAIN_H
#define SUPERD_SUPER_EXPLAIN_H

#include "superd/control.h"
#include "superd/super_private.h"

/*
 * Answers "explain ADDRESS SERVICE". ADDRESS is an IP address, or a unix peer as
 * "user:UID:GID,GID,..." in numbers: a name would have to be looked up, and superd never does.
 */
void super_explain(struct super *super, struct control_request *request);

#endif
