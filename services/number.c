/*
 * number: reads an integer of 4 bytes and says what it is in either byte order.
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/serve.h"
#include "services/lib/text.h"

#include <unistd.h>

#define NUMBER_SIZE 4
#define ANSWER_SIZE 80

/* The signed integer of four bytes, the most significant first. */
static int32_t number_decode(uint8_t most, uint8_t second, uint8_t third, uint8_t least)
{
	return (int32_t)((uint32_t)most << 24 | (uint32_t)second << 16 | (uint32_t)third << 8 |
			 least);
}

static int number_cut_short(size_t length)
{
	char line[ANSWER_SIZE];
	struct text text;

	text_begin(&text, line, sizeof(line));
	text_add(&text, "closed after ");
	text_add_unsigned(&text, length);
	text_add(&text, " of 4 bytes");
	return serve_refused(line);
}

static int number_stream(const struct serve *serve)
{
	struct io_deadline deadline = io_deadline_total(serve->idle_ms);
	uint8_t bytes[NUMBER_SIZE];
	char answer[ANSWER_SIZE];
	struct text text;
	ssize_t got = io_read_full(STDIN_FILENO, bytes, sizeof(bytes), &deadline);

	if (got < 0)
		return serve_failed("read");
	if (got < NUMBER_SIZE)
		return number_cut_short((size_t)got);
	text_begin(&text, answer, sizeof(answer));
	text_add(&text, "big-endian ");
	text_add_int(&text, number_decode(bytes[0], bytes[1], bytes[2], bytes[3]));
	text_add(&text, ", little-endian ");
	text_add_int(&text, number_decode(bytes[3], bytes[2], bytes[1], bytes[0]));
	text_add_char(&text, '\n');
	deadline = io_deadline_idle(serve->idle_ms);
	if (io_write_full(STDOUT_FILENO, answer, text.used, &deadline) != 0)
		return serve_failed("write");
	io_finish(STDIN_FILENO, STDOUT_FILENO);
	return STATUS_DONE;
}

int main(int argc, char **argv)
{
	static const struct service number = {
		.summary = "reads a 4-byte integer and says what it is in either byte order",
		.stream_cb = number_stream,
	};

	return serve_main(&number, argc, argv);
}
