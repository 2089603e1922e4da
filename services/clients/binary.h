/*
 * binary: integers as the binary services want them, and as people type them.
 *
 * Two byte orders: "network" (big-endian, the one XDR uses too) and "native", which shows what goes
 * wrong between machines.
 */
#ifndef SERVICES_CLIENTS_BINARY_H
#define SERVICES_CLIENTS_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum binary_order {
	BINARY_NETWORK,
	BINARY_NATIVE,
};

/* The order's name on the command line of --int: "network", "native". */
const char *binary_order_name(enum binary_order order);

enum {
	BINARY_INT_BYTES = 4,
	BINARY_REQUEST_BYTES = 16, /* two 64-bit integers */
	BINARY_ANSWER_BYTES = 8,
};

/* Writes value as 4 bytes. */
void binary_put_int(int32_t value, enum binary_order order, unsigned char *bytes);

/* Writes the request for a + b as BINARY_REQUEST_BYTES bytes. */
void binary_put_request(int64_t a, int64_t b, enum binary_order order, unsigned char *bytes);

/* Reads an answer of BINARY_ANSWER_BYTES bytes. */
int64_t binary_get_answer(const unsigned char *bytes, enum binary_order order);

/*
 * Reads a line, without or with its LF or CRLF, that holds two decimal integers separated by
 * blanks and nothing else but blanks.  Returns whether it did; *a and *b are set only then.
 */
bool binary_parse_line(const char *line, size_t length, int64_t *a, int64_t *b);

/* Fills bytes with a..z, over and over. */
void binary_pattern(size_t length, char *bytes);

#endif
