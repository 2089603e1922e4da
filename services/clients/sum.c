/*
 * sum: lines of two integers to binary requests of the service sum, and its answers back.
 */
#include "config.h"
#include "services/clients/sum.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Room for one printed answer: a sign, 19 digits, a newline and snprintf's NUL. */
enum { SUM_PRINTED_BYTES = 22 };

static void sum_refuse(struct sum *sum)
{
	sum->bad_lines++;
	fprintf(stderr, "line %" PRIu64 ": not two decimal integers of 64 bits\n", sum->lines);
}

/* One whole line, its newline included where it has one. */
static void sum_line(struct sum *sum, const char *line, size_t length, struct buffer *to)
{
	unsigned char request[BINARY_REQUEST_BYTES];
	int64_t a;
	int64_t b;

	if (sum->skipping) {
		sum->skipping = false;
		return;
	}
	sum->lines++;
	if (!binary_parse_line(line, length, &a, &b)) {
		sum_refuse(sum);
		return;
	}
	binary_put_request(a, b, sum->order, request);
	buffer_append(to, request, sizeof(request));
	sum->requests++;
}

/* A buffer full of one line that has not ended: drops it, and remembers to drop its rest. */
static void sum_overlong(struct sum *sum, struct buffer *from)
{
	if (!sum->skipping) {
		sum->lines++;
		sum_refuse(sum);
		sum->skipping = true;
	}
	buffer_consume(from, buffer_length(from));
}

void sum_encode(void *context, struct buffer *from, struct buffer *to, bool at_end)
{
	struct sum *sum = context;

	while (buffer_length(from) > 0 && buffer_room(to) >= BINARY_REQUEST_BYTES) {
		const char *line = buffer_bytes(from);
		size_t length = buffer_length(from);
		const char *newline = memchr(line, '\n', length);

		if (newline != NULL)
			length = (size_t)(newline - line) + 1;
		else if (buffer_room(from) == 0)
			return sum_overlong(sum, from);
		else if (!at_end)
			return;
		sum_line(sum, line, length, to);
		buffer_consume(from, length);
	}
}

void sum_decode(void *context, struct buffer *from, struct buffer *to, bool at_end)
{
	struct sum *sum = context;
	unsigned char answer[BINARY_ANSWER_BYTES];
	char text[SUM_PRINTED_BYTES];

	(void)at_end;
	while (buffer_length(from) >= sizeof(answer) && buffer_room(to) >= sizeof(text)) {
		memcpy(answer, buffer_bytes(from), sizeof(answer));
		buffer_consume(from, sizeof(answer));
		snprintf(
			text, sizeof(text), "%" PRId64 "\n", binary_get_answer(answer, sum->order));
		buffer_append(to, text, strlen(text));
		sum->answers++;
	}
}

int sum_result(const struct sum *sum, struct fault *fault)
{
	if (sum->answers < sum->requests)
		return fault_set(fault, 0,
			"server terminated prematurely: %" PRIu64 " of %" PRIu64
			" requests answered",
			sum->answers, sum->requests);
	if (sum->bad_lines > 0)
		return fault_set(fault, 0, "%" PRIu64 " of %" PRIu64 " lines not sent",
			sum->bad_lines, sum->lines);
	return 0;
}
