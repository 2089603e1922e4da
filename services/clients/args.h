/*
 * args: the command line of tcpcli.
 */
#ifndef SERVICES_CLIENTS_ARGS_H
#define SERVICES_CLIENTS_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "services/clients/binary.h"
#include "services/clients/connect.h"

enum args_mode {
	ARGS_LINES,    /* standard input to the server, its answers to standard output */
	ARGS_DATAGRAM, /* -u */
	ARGS_BYTES,
	ARGS_SUM,
	ARGS_INT,
};

/* The option that chooses the mode: "-u", "--bytes", ...; "" for ARGS_LINES. */
const char *args_mode_name(enum args_mode mode);

struct args {
	struct connect_target target; /* points into argv */
	int connections;
	bool verbose;
	enum args_mode mode;
	size_t bytes;            /* ARGS_BYTES */
	int32_t value;           /* ARGS_INT */
	enum binary_order order; /* ARGS_INT, ARGS_SUM */
	int wait_ms;             /* -w, 0: not given */
};

enum args_verdict {
	ARGS_RUN,
	ARGS_DONE,   /* help or version was printed */
	ARGS_FAILED, /* it could not be; a message was printed */
	ARGS_WRONG,  /* a message was printed */
};

/* Reads the command line; what it has to say goes to standard output or, if wrong, error. */
enum args_verdict args_parse(int argc, char **argv, struct args *args);

#endif
