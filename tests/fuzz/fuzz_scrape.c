/*
 * fuzz_scrape: both sides of the service metrics: an HTTP request, and an answer of superd's.
 *
 * The first byte says which. A request that is accepted has a first line that stands alone as one;
 * an answer's text is what a JSON reader finds, where it comes to its end.
 */
#include "config.h"

#include "services/scrape/http.h"
#include "services/scrape/source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool holds)
{
	if (!holds)
		abort();
}

/* A socket that holds data and then the end of the file. */
static int filled(const uint8_t *data, size_t size)
{
	int pair[2];

	hold(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	if (size > 60000)
		size = 60000;
	hold(send(pair[1], data, size, MSG_DONTWAIT) == (ssize_t)size);
	close(pair[1]);
	return pair[0];
}

static void fuzz_request(const uint8_t *data, size_t size)
{
	struct io_deadline deadline = io_deadline_total(1000);
	char buffer[LINE_BUFFER_SIZE(HTTP_LINE_MAX)];
	struct http_request request, again;
	struct line_reader reader;
	enum http_status status;
	char line[HTTP_LINE_MAX + 1];
	size_t length = 0;
	int fd = filled(data, size);

	line_reader_init(&reader, fd, buffer, sizeof(buffer));
	status = http_read(&reader, &deadline, &request);
	hold(status == HTTP_GONE || http_status_name(status) != NULL);
	if (status == HTTP_OK) {
		while (length < size && length < HTTP_LINE_MAX && data[length] != '\n')
			length++;
		memcpy(line, data, length);
		if (length > 0 && line[length - 1] == '\r')
			length--;
		line[length] = '\0';
		hold(http_parse_line(line, length, &again) == HTTP_OK);
		hold(again.metrics == request.metrics && again.head == request.head);
	}
	close(fd);
}

static void fuzz_answer(const uint8_t *data, size_t size)
{
	struct io_deadline deadline = io_deadline_total(1000);
	char text[SOURCE_PIECE];
	struct source source = {.fd = filled(data, size)};
	size_t total = 0;
	ssize_t count;

	while ((count = source_read(&source, text, &deadline)) > 0) {
		hold(count <= SOURCE_PIECE);
		total += (size_t)count;
		hold(total <= size);
	}
	hold(count == 0 ? source.done : !source.done);
	source_close(&source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		fuzz_request(data + 1, size - 1);
	else
		fuzz_answer(data + 1, size - 1);
	return 0;
}
