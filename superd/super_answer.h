/*
 * super_answer: the large answers to control requests, made piece by piece.
 */
#ifndef SUPERD_SUPER_ANSWER_H
#define SUPERD_SUPER_ANSWER_H

#include "superd/control.h"
#include "superd/super_private.h"

/*
 * A walk over all services, the retired ones last, with turns of the loop between its pieces. All
 * zero but super is the beginning.
 */
struct super_walk {
	const struct super *super;
	uint64_t generation; /* of the configuration; 0: not begun */
	size_t next;
};

/*
 * Calls each_cb for the next services until output holds a full piece. Returns 1 where more
 * follow, 0 where those were all, -1 where the configuration has changed since the beginning: an
 * answer never mixes two.
 */
int super_walk_services(struct super_walk *walk, struct control_output *output,
	void (*each_cb)(void *each_owner, const struct service *service, bool retired),
	void *each_owner);

/* The verbs status, connections and metrics: the answer begins, or is a refusal. */
void super_answer_status(struct super *super, struct control_request *request);
void super_answer_connections(struct super *super, struct control_request *request);
void super_answer_metrics(struct super *super, struct control_request *request);

/*
 * The service that a request names in word number, to be looked at: in the configuration, or
 * retired. Where there is none the request has been refused (then NULL).
 */
struct service *super_find_service(
	struct super *super, struct control_request *request, size_t number);

#endif
