/*
 * control_output: the text of an answer on its way to a client.
 */
#ifndef SUPERD_CONTROL_OUTPUT_H
#define SUPERD_CONTROL_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much is a full piece: who fills one stops adding once that much is in it. */
#define CONTROL_PIECE 4096

/* Treat as opaque; all zero is empty. */
struct control_output {
	char *data;
	size_t size;
	size_t used;
	size_t sent;
	bool quoted; /* what is added stands inside a JSON string */
	bool failed; /* memory was out: the text is not whole */
};

void control_output_free(struct control_output *output);

/* Append; what memory does not hold makes it `failed`. */
void control_output_bytes(struct control_output *output, const char *bytes, size_t length);
void control_output_text(struct control_output *output, const char *text);
void control_output_uint(struct control_output *output, uint64_t number);

/* The JSON of value, which is taken over (NULL: failed). */
void control_output_json(struct control_output *output, json_t *value);

/* From now on what is added is escaped for a JSON string, or no more. The quotes are the caller's
   to add outside. */
void control_output_quote(struct control_output *output, bool quoted);

/* Whether a full piece is waiting. */
bool control_output_is_full(const struct control_output *output);

/* Whether anything is still to be sent. */
bool control_output_waits(const struct control_output *output);

/* Sends without waiting what the socket takes; what was sent is forgotten. Returns the number of
   bytes, 0 where it takes none now, -1 with errno where the client is gone. */
ssize_t control_output_send(struct control_output *output, int fd);

/* A JSON string of any bytes: what is not UTF-8 becomes '?'. NULL where memory is out. */
json_t *control_string(const char *text);

#endif
