/*
 * hello: logs who its client is, greets it and closes.
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/note.h"
#include "services/lib/peer.h"
#include "services/lib/serve.h"

#include <unistd.h>

static int hello_stream(const struct serve *serve)
{
	static const char greeting[] = "Hello, world!\n";
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	char client[PEER_TEXT_SIZE];
	struct peer peer;

	peer_client(&peer);
	note("client ", peer_format(&peer, client), NOTE_END);
	if (io_write_full(STDOUT_FILENO, greeting, sizeof(greeting) - 1, &deadline) != 0)
		return serve_failed("write");
	io_finish(STDIN_FILENO, STDOUT_FILENO);
	return STATUS_DONE;
}

int main(int argc, char **argv)
{
	static const struct service hello = {
		.summary = "greets the client and logs its address",
		.stream_cb = hello_stream,
	};

	return serve_main(&hello, argc, argv);
}
