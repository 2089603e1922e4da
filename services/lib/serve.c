/*
 * serve: runs a service's one function in whichever mode descriptor 0 asks for.
 */
#include "config.h"

#include "services/lib/serve.h"
#include "services/lib/io.h"
#include "services/lib/kind.h"
#include "services/lib/note.h"
#include "services/lib/peer.h"
#include "services/lib/serve_datagrams.h"
#include "services/lib/serve_listeners.h"
#include "services/lib/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MS_PER_S 1000
#define MAX_IDLE_S 1000000

#define MAX_OPTIONS 16

/* Where the option callback of all services leaves what it reads. */
struct serve_setup {
	struct serve *serve;
	const struct options_entry *idle;
};

static int option_take(void *owner, const struct options_entry *entry, const char *value)
{
	struct serve_setup *setup = owner;
	const struct service *service = setup->serve->service;
	uint64_t seconds;

	if (entry != setup->idle)
		return service->option_cb(service->state, entry, value);
	if (text_parse_unsigned(value, 0, MAX_IDLE_S, &seconds) != 0)
		return -1;
	setup->serve->idle_ms = seconds == 0 ? IO_FOREVER : (int)seconds * MS_PER_S;
	return 0;
}

static enum options_result serve_options(struct serve *serve, int argc, char **argv)
{
	const struct service *service = serve->service;
	struct options_entry entries[MAX_OPTIONS] = {
		{'t', "idle", "SECONDS", "idle time-out (default 60; 0: none)"}};
	struct serve_setup setup = {.serve = serve, .idle = entries};
	struct options options = {
		.summary = service->summary,
		.count = 1 + service->option_count,
		.entries = entries,
		.option_cb = option_take,
		.owner = &setup,
	};
	size_t operands;

	if (service->option_count > 0)
		memcpy(entries + 1, service->options, service->option_count * sizeof(entries[0]));
	return options_parse(&options, argc, argv, &operands);
}

/* Not what this service serves: the configuration is wrong. */
static int kind_refused(enum kind kind)
{
	note("descriptor 0 is a ", kind_name(kind), " socket, which is not served here", NOTE_END);
	return STATUS_USAGE;
}

int serve_main(const struct service *service, int argc, char **argv)
{
	struct serve serve = {.service = service, .idle_ms = SERVE_IDLE_S * MS_PER_S};
	enum kind kind;

	if (argc > 1) {
		enum options_result result = serve_options(&serve, argc, argv);

		if (result != OPTIONS_RUN)
			return options_status(result);
	}
	io_ignore_sigpipe();
	kind = kind_of(STDIN_FILENO);
	if (kind == KIND_DGRAM)
		return service->datagram_cb != NULL ? serve_datagrams(&serve) : kind_refused(kind);
	if (kind == KIND_LISTENER)
		return serve_listeners(&serve);
	return service->stream_cb(&serve);
}

/* "CLIENT: " where there is one, and two more parts. */
static int client_note(const char *what, const char *more)
{
	char client[PEER_TEXT_SIZE];
	struct peer peer;

	peer_client(&peer);
	if (peer.family == AF_UNSPEC)
		note(what, more, NOTE_END);
	else
		note(peer_format(&peer, client), ": ", what, more, NOTE_END);
	return STATUS_FAILED;
}

int serve_refused(const char *what)
{
	return client_note(what, "");
}

int serve_failed(const char *what)
{
	char text[NOTE_SIZE];
	struct text reason;

	text_begin(&reason, text, sizeof(text));
	text_add(&reason, ": ");
	text_add(&reason, errno == ETIMEDOUT ? "time-out" : strerror(errno));
	return client_note(what, text);
}
