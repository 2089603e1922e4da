/*
 * climess: the client of messenger; this file reads the command line.
 */
#include "config.h"

#include "services/clients/collect.h"
#include "services/clients/connect.h"
#include "services/clients/fault.h"
#include "services/clients/post.h"
#include "services/lib/io.h"
#include "services/lib/note.h"
#include "services/lib/options.h"
#include "services/lib/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_SEND_PORT "7250"
#define DEFAULT_FETCH_PORT "7251"
#define CONNECT_S 10
#define IDLE_S 60
#define MAX_S 86400
#define MS_PER_S 1000

struct climess {
	const char *host;
	const char *port; /* NULL: the verb's default */
	const char *password_file;
	bool plain;
	int connect_ms;
	int idle_ms;
};

static const struct options_entry entries[] = {
	{'H', "host", "HOST", "the server (default localhost)"},
	{'p', "port", "PORT", "its port (default 7250 to send, 7251 to fetch)"},
	{'P', "password", "FILE", "fetch: the first line of FILE is the password (-: ask)"},
	{0, "plain", NULL, "send: no line BYTES, for a server without -l"},
	{'w', "wait", "SECONDS", "time-out of connecting (default 10)"},
	{'t', "idle", "SECONDS", "longest wait for the server (default 60; 0: any)"},
};

static int seconds_take(const char *value, uint64_t min, int *ms)
{
	uint64_t seconds;

	if (text_parse_unsigned(value, min, MAX_S, &seconds) != 0)
		return -1;
	*ms = seconds == 0 ? IO_FOREVER : (int)seconds * MS_PER_S;
	return 0;
}

static int option_take(void *owner, const struct options_entry *entry, const char *value)
{
	struct climess *climess = owner;

	switch (entry->letter) {
	case 'H':
		climess->host = value;
		return 0;
	case 'p':
		climess->port = value;
		return 0;
	case 'P':
		climess->password_file = value;
		return 0;
	case 'w':
		return seconds_take(value, 1, &climess->connect_ms);
	case 't':
		return seconds_take(value, 0, &climess->idle_ms);
	default:
		climess->plain = true;
		return 0;
	}
}

static int server_connect(
	const struct climess *climess, const char *default_port, struct fault *fault)
{
	struct connect_target target = {
		.host = climess->host,
		.port = climess->port != NULL ? climess->port : default_port,
		.family = AF_UNSPEC,
		.type = SOCK_STREAM,
		.timeout_ms = climess->connect_ms,
	};

	return connect_open(&target, fault);
}

static int usage_wrong(const char *problem)
{
	note(problem, " (-h helps)", NULL);
	return STATUS_USAGE;
}

static int port_wrong(const char *port)
{
	note("'", port, "' is not a port from 1 to 65535 (-h helps)", NULL);
	return STATUS_USAGE;
}

/* The exit status, after telling the fault. */
static int result_status(int result, const struct fault *fault)
{
	if (result != 0 && fault->text[0] != '\0')
		note(fault->text, NULL);
	return result == 0 ? STATUS_DONE : STATUS_FAILED;
}

/* words: FROM TO [FILE] */
static int send_main(const struct climess *climess, size_t count, char **words)
{
	struct post post = {.plain = climess->plain, .idle_ms = climess->idle_ms};
	struct fault fault = {""};
	int result;

	if (count < 2 || count > 3 || climess->password_file != NULL)
		return usage_wrong("send FROM TO [FILE] is wanted");
	post.sender = words[0];
	post.recipient = words[1];
	/* The second line would be taken for the recipient. */
	if (strchr(post.sender, '\n') != NULL || strchr(post.recipient, '\n') != NULL)
		return usage_wrong("a login holds no newline");
	/* Before connecting: the server's patience is not for who types. */
	result = post_read(&post, words[2], &fault);
	if (result == 0) {
		int socket = server_connect(climess, DEFAULT_SEND_PORT, &fault);

		result = socket < 0 ? -1 : post_send(&post, socket, &fault);
	}
	post_free(&post);
	return result_status(result, &fault);
}

/* words: LOGIN */
static int fetch_main(const struct climess *climess, size_t count, char **words)
{
	struct collect collect = {.idle_ms = climess->idle_ms};
	char password[COLLECT_PASSWORD_SIZE];
	struct fault fault = {""};
	int result = 0;

	if (count != 1 || climess->plain)
		return usage_wrong("fetch LOGIN is wanted");
	collect.login = words[0];
	if (strchr(collect.login, '\n') != NULL)
		return usage_wrong("a login holds no newline");
	if (climess->password_file != NULL) {
		result = collect_password(climess->password_file, password, &fault);
		collect.password = password;
	}
	if (result == 0) {
		int socket = server_connect(climess, DEFAULT_FETCH_PORT, &fault);

		result = socket < 0 ? -1 : collect_run(&collect, socket, &fault);
	}
	explicit_bzero(password, sizeof(password));
	return result_status(result, &fault);
}

int main(int argc, char **argv)
{
	struct climess climess = {
		.host = "localhost",
		.connect_ms = CONNECT_S * MS_PER_S,
		.idle_ms = IDLE_S * MS_PER_S,
	};
	struct options options = {
		.operands = "send FROM TO [FILE] | fetch LOGIN",
		.summary = "sends a message (FILE or standard input) to a user of messenger, or "
			   "fetches a user's messages",
		.count = sizeof(entries) / sizeof(entries[0]),
		.entries = entries,
		.option_cb = option_take,
		.owner = &climess,
	};
	size_t count;
	enum options_result result = options_parse(&options, argc, argv, &count);

	if (result != OPTIONS_RUN)
		return options_status(result);
	if (climess.port != NULL && !connect_port_valid(climess.port))
		return port_wrong(climess.port);
	io_ignore_sigpipe();
	if (count > 0 && strcmp(argv[1], "send") == 0)
		return send_main(&climess, count - 1, argv + 2);
	if (count > 0 && strcmp(argv[1], "fetch") == 0)
		return fetch_main(&climess, count - 1, argv + 2);
	return usage_wrong("the first word must be send or fetch");
}
