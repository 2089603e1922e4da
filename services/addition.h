/*
 * addition: sum's requests and answers in text and binary, without any input or output.
 */
#ifndef SERVICES_ADDITION_H
#define SERVICES_ADDITION_H

#include "services/lib/text.h"

#include <stddef.h>
#include <stdint.h>

enum addition_order {
	ORDER_BIG,    /* XDR hyper: the most significant byte first */
	ORDER_NATIVE, /* as the machine stores integers */
};

/* A binary request is two integers, the answer one. */
#define ADDITION_REQUEST_SIZE 16
#define ADDITION_ANSWER_SIZE 8

/* Longest line of text, without its end. */
#define ADDITION_MAX_LINE 1024

/* Longest answer in text, with its newline and a NUL. */
#define ADDITION_TEXT_SIZE 24

/*
 * Adds the two decimal integers of a line (length bytes, without its end).  A sign may stand
 * directly before a number; blanks are spaces and tabs.  Returns 0, or -1 where the line holds
 * anything else or a value or the sum does not fit 64 bits.
 */
int addition_line(const char *line, size_t length, int64_t *sum);

/* Appends the answer to a line: its sum or "input error", and a newline. */
void addition_answer(struct text *text, const char *line, size_t length);

/* Room for the answer to a datagram, and for one answer more. */
#define ADDITION_DATAGRAM_SIZE (65536 + ADDITION_TEXT_SIZE)

/*
 * Answers the lines of a datagram (at most 65536 bytes) in text.  The whole answer is no longer
 * than the request, or than one "input error": a forged source gains nothing.  Lines whose answers
 * would go beyond are not answered.  Returns the answer's length.
 */
size_t addition_datagram(const char *data, size_t length, char answer[ADDITION_DATAGRAM_SIZE]);

/*
 * Answers the whole requests among length bytes of data.  The answers are written over the
 * requests, from data's beginning.  Returns how many requests were answered; fewer than length
 * / ADDITION_REQUEST_SIZE where the next one's sum does not fit 64 bits.
 */
size_t addition_binary(uint8_t *data, size_t length, enum addition_order order);

#endif
