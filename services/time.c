/*
 * time: the seconds since 1900 as 4 bytes in network order (RFC 868).
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/serve.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* From 1900-01-01 to 1970-01-01, both UTC. */
#define EPOCH_S UINT64_C(2208988800)

static uint32_t time_now(void)
{
	/* The format wraps in 2036, and so does this. */
	return htonl((uint32_t)((uint64_t)time(NULL) + EPOCH_S));
}

static int time_stream(const struct serve *serve)
{
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	uint32_t now = time_now();

	if (io_write_full(STDOUT_FILENO, &now, sizeof(now), &deadline) != 0)
		return serve_failed("write");
	io_finish(STDIN_FILENO, STDOUT_FILENO);
	return STATUS_DONE;
}

static ssize_t time_datagram(const struct serve *serve, char *data, size_t length, size_t size)
{
	uint32_t now = time_now();

	(void)serve;
	(void)length;
	(void)size;
	memcpy(data, &now, sizeof(now));
	return sizeof(now);
}

int main(int argc, char **argv)
{
	static const struct service time_service = {
		.summary = "sends the seconds since 1900 as 4 bytes in network order (RFC 868)",
		.stream_cb = time_stream,
		.datagram_cb = time_datagram,
	};

	return serve_main(&time_service, argc, argv);
}
