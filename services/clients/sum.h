/*
 * sum: lines of two integers to binary requests of the service sum, and its answers back.
 */
#ifndef SERVICES_CLIENTS_SUM_H
#define SERVICES_CLIENTS_SUM_H

#include <stdbool.h>
#include <stdint.h>

#include "services/clients/binary.h"
#include "services/clients/buffer.h"
#include "services/clients/fault.h"

struct sum {
	enum binary_order order;
	uint64_t lines; /* read so far, for messages */
	uint64_t bad_lines;
	uint64_t requests; /* encoded */
	uint64_t answers;  /* decoded */
	bool skipping;     /* inside a line that is too long and has been reported */
};

/*
 * Translations for struct session, whose context is a struct sum.  A line that is no request is
 * reported on standard error, counted and left out.
 */
void sum_encode(void *context, struct buffer *from, struct buffer *to, bool at_end);
void sum_decode(void *context, struct buffer *from, struct buffer *to, bool at_end);

/*
 * Looks back after the server has closed.  Returns 0 if every request was answered and every line
 * was a request, -1 with *fault set otherwise.
 */
int sum_result(const struct sum *sum, struct fault *fault);

#endif
