/*
 * datagram: each line of input a datagram, each answer printed as it comes.
 */
#ifndef SERVICES_CLIENTS_DATAGRAM_H
#define SERVICES_CLIENTS_DATAGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "services/clients/buffer.h"
#include "services/clients/fault.h"

struct datagram {
	int socket;         /* connected, borrowed */
	int input;          /* borrowed */
	int output;         /* borrowed */
	int wait_ms;        /* for answers after the end of input */
	bool input_end;     /* no more will come from input */
	bool skipping;      /* inside a line that is too long and has been reported */
	int64_t end_ms;     /* when waiting ends; 0: input still goes on */
	uint64_t lines;     /* taken from input, for messages */
	uint64_t bad_lines; /* reported and not sent */
	uint64_t sent;
	uint64_t received;
	struct buffer typed;   /* holds the longest datagram and one byte more */
	struct buffer printed; /* filled by one datagram only when empty */
};

/*
 * Prepares the exchange.  Returns 0, or -1 with *fault set; datagram_free is safe in either case.
 */
int datagram_init(struct datagram *datagram, int socket, int input, int output, int wait_ms,
	struct fault *fault);

/*
 * Sends each line with its line end as one datagram.  Returns after the end of input, when there
 * are as many answers as datagrams or when wait_ms are over: 0 (an answer may be lost, or the
 * service may give none: datagram->sent and received tell), or -1 with *fault set if the port is
 * closed, input or output failed, or a line was too long for a datagram (the others are sent).
 */
int datagram_run(struct datagram *datagram, struct fault *fault);

/* Releases the buffers; the descriptors stay open. */
void datagram_free(struct datagram *datagram);

#endif
