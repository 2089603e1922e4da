/*
 * messenger: store-and-forward messages between users.  "messenger send" takes one message in,
 * "messenger fetch" hands a user's messages out; this file reads the command line.
 */
#include "config.h"

#include "services/lib/io.h"
#include "services/lib/note.h"
#include "services/lib/options.h"
#include "services/lib/serve.h"
#include "services/lib/text.h"
#include "services/mail/fetch.h"
#include "services/mail/send.h"
#include "services/mail/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SIZE (UINT64_C(1) << 40)
#define MAX_TOTAL_S 1000000
#define MS_PER_S 1000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct options_entry send_options[] = {
	{0, "spool", "DIR", "where the mailboxes are"},
	{'l', "length", NULL, "a line BYTES n comes before the message"},
	{0, "max-message", "BYTES", "longest message (default 1048576)"},
	{0, "max-messages", "N", "messages in a mailbox (default 1000)"},
	{0, "max-bytes", "BYTES", "bytes in a mailbox (default 67108864)"},
	{'T', "total", "SECONDS", "longest dialogue (default 600; 0: any)"},
	{0, "no-fsync", NULL, "unsafe, for tests: a power cut loses mail"},
};

static const struct options_entry fetch_options[] = {
	{0, "spool", "DIR", "where the mailboxes are"},
	{0, "passwd", "FILE", "ask for passwords: lines LOGIN:HASH"},
	{'T', "total", "SECONDS", "longest dialogue (default 600; 0: any)"},
	{0, "no-fsync", NULL, "unsafe, for tests: a power cut brings mail back"},
};

/* Takes one option of either verb. */
static int option_take(void *state, const struct options_entry *entry, const char *value)
{
	struct settings *settings = state;
	const char *name = entry->name;
	uint64_t seconds;

	if (strcmp(name, "spool") == 0)
		settings->spool = value;
	else if (strcmp(name, "passwd") == 0)
		settings->passwd = value;
	else if (strcmp(name, "length") == 0)
		settings->announced = true;
	else if (strcmp(name, "no-fsync") == 0)
		settings->sync = false;
	else if (strcmp(name, "max-message") == 0)
		return text_parse_unsigned(value, 0, MAX_SIZE, &settings->max_message);
	else if (strcmp(name, "max-messages") == 0)
		return text_parse_unsigned(value, 0, MAX_SIZE, &settings->max_messages);
	else if (strcmp(name, "max-bytes") == 0)
		return text_parse_unsigned(value, 0, MAX_SIZE, &settings->max_bytes);
	else if (text_parse_unsigned(value, 0, MAX_TOTAL_S, &seconds) != 0)
		return -1;
	else
		settings->total_ms = seconds == 0 ? IO_FOREVER : (int)seconds * MS_PER_S;
	return 0;
}

static int send_stream(const struct serve *serve)
{
	struct settings *settings = serve->service->state;

	settings->idle_ms = serve->idle_ms;
	return send_run(settings, STDIN_FILENO, STDOUT_FILENO);
}

static int fetch_stream(const struct serve *serve)
{
	struct settings *settings = serve->service->state;

	settings->idle_ms = serve->idle_ms;
	return fetch_run(settings, STDIN_FILENO, STDOUT_FILENO);
}

/* No verb: the help or the version may be asked for, everything else is wrong. */
static int verb_missing(int argc, char **argv)
{
	struct options options = {
		.operands = "send|fetch [OPTIONS]",
		.summary = "send takes a message in, fetch hands a user's messages out; each has "
			   "its own options: messenger send -h, messenger fetch -h",
	};
	size_t count;
	enum options_result result = options_parse(&options, argc, argv, &count);

	if (result == OPTIONS_RUN) {
		note("the first word must be send or fetch (-h helps)", NULL);
		result = OPTIONS_WRONG;
	}
	return options_status(result);
}

int main(int argc, char **argv)
{
	struct settings settings = {
		.spool = LOCALSTATEDIR "/spool/superd/messenger",
		.max_message = 1048576,
		.max_messages = 1000,
		.max_bytes = 67108864,
		.sync = true,
		.total_ms = 600 * MS_PER_S,
	};
	struct service send = {
		.summary = "takes one message in and answers whether it is stored",
		.option_count = COUNT(send_options),
		.options = send_options,
		.option_cb = option_take,
		.stream_cb = send_stream,
		.state = &settings,
	};
	struct service fetch = {
		.summary = "hands a user's messages out and deletes what has arrived",
		.option_count = COUNT(fetch_options),
		.options = fetch_options,
		.option_cb = option_take,
		.stream_cb = fetch_stream,
		.state = &settings,
	};
	bool sending = argc > 1 && strcmp(argv[1], "send") == 0;

	if (!sending && (argc < 2 || strcmp(argv[1], "fetch") != 0))
		return verb_missing(argc, argv);
	/* Modes are 0600 and 0700, whatever the umask was; a file size limit is an error (EFBIG)
	   that the client is told of. */
	umask(077);
	signal(SIGXFSZ, SIG_IGN);
	program_invocation_short_name = sending ? "messenger send" : "messenger fetch";
	return serve_main(sending ? &send : &fetch, argc - 1, argv + 1);
}
