/*
 * args: the command line of tcpcli.
 */
#include "config.h"
#include "services/clients/args.h"
#include "services/lib/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	DEFAULT_CONNECT_MS = 10000,
	MAX_CONNECTIONS = 1000,
	MAX_BYTES = 1 << 30, /* below what Linux takes in one send, 2 GiB less a page */
	MAX_WAIT_SECONDS = 86400,
};

/* Options without a letter. */
enum { OPTION_BYTES = 256, OPTION_SUM, OPTION_INT, OPTION_ORDER };

/* What lies between reading the options and judging them together. */
struct args_given {
	bool order;
	bool connections;
};

const char *args_mode_name(enum args_mode mode)
{
	switch (mode) {
	case ARGS_LINES:
		return "";
	case ARGS_DATAGRAM:
		return "-u";
	case ARGS_BYTES:
		return "--bytes";
	case ARGS_SUM:
		return "--sum";
	case ARGS_INT:
		return "--int";
	}
	return "unknown";
}

static const char help_text[] =
	"usage: tcpcli [-46u] [-b LOCALPORT] [-n CONNECTIONS] [-v] [-w SECONDS] HOST PORT\n"
	"       tcpcli [OPTION...] --bytes N HOST PORT\n"
	"       tcpcli [OPTION...] --sum xdr|native HOST PORT\n"
	"       tcpcli [OPTION...] --int N [--order network|native] HOST PORT\n"
	"\n"
	"Sends standard input to HOST's PORT and prints what it answers.\n"
	"\n"
	"  -4, -6              IPv4 only, IPv6 only\n"
	"  -u                  UDP: each line is one datagram\n"
	"  -b LOCALPORT        bind this local port first\n"
	"  -n CONNECTIONS      open so many connections, use the first\n"
	"  -v                  say which addresses are connected\n"
	"  -w SECONDS          time-out of connecting (10); with -u, how long to wait\n"
	"                      for answers after the end of input (1)\n"
	"  --bytes N           send N bytes of a..z in one send\n"
	"  --sum xdr|native    lines of two integers to the binary service sum\n"
	"  --int N             send one binary integer of 4 bytes\n"
	"  --order network|native\n"
	"                      its byte order (network)\n"
	"  -h, -V              this help, the version\n";

/* Prints the help or the version. */
static enum args_verdict args_print(const char *text)
{
	return options_print(text) == OPTIONS_DONE ? ARGS_DONE : ARGS_FAILED;
}

static enum args_verdict args_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static enum args_verdict args_wrong(const char *format, ...)
{
	va_list arguments;

	fputs("tcpcli: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(" (-h: help)\n", stderr);
	return ARGS_WRONG;
}

/* Reads a whole decimal integer within bounds; says what is wrong with it. */
static enum args_verdict args_number(
	const char *option, const char *text, long min, long max, long *value)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || number < min || number > max)
		return args_wrong(
			"%s: '%s' is not a number from %ld to %ld", option, text, min, max);
	*value = number;
	return ARGS_RUN;
}

/* Reads one of two words, the second of which means native byte order. */
static enum args_verdict args_order(
	const char *option, const char *text, const char *network, enum binary_order *order)
{
	if (strcmp(text, network) == 0)
		*order = BINARY_NETWORK;
	else if (strcmp(text, binary_order_name(BINARY_NATIVE)) == 0)
		*order = BINARY_NATIVE;
	else
		return args_wrong("%s: '%s' is neither %s nor native", option, text, network);
	return ARGS_RUN;
}

static enum args_verdict args_set_mode(struct args *args, enum args_mode mode)
{
	if (args->mode != ARGS_LINES && args->mode != mode)
		return args_wrong("%s and %s exclude each other", args_mode_name(args->mode),
			args_mode_name(mode));
	args->mode = mode;
	return ARGS_RUN;
}

/* The long options: modes and their byte order. */
static enum args_verdict args_long_option(
	int option, const char *text, struct args *args, struct args_given *given)
{
	enum args_verdict verdict = ARGS_RUN;
	long number = 0;

	switch (option) {
	case OPTION_BYTES:
		verdict = args_number("--bytes", text, 1, MAX_BYTES, &number);
		args->bytes = (size_t)number;
		return verdict == ARGS_RUN ? args_set_mode(args, ARGS_BYTES) : verdict;
	case OPTION_INT:
		verdict = args_number("--int", text, INT32_MIN, INT32_MAX, &number);
		args->value = (int32_t)number;
		return verdict == ARGS_RUN ? args_set_mode(args, ARGS_INT) : verdict;
	case OPTION_SUM:
		verdict = args_order("--sum", text, "xdr", &args->order);
		return verdict == ARGS_RUN ? args_set_mode(args, ARGS_SUM) : verdict;
	case OPTION_ORDER:
		given->order = true;
		return args_order("--order", text, binary_order_name(BINARY_NETWORK), &args->order);
	default:
		return args_wrong("see the usage");
	}
}

static enum args_verdict args_option(
	int option, const char *text, struct args *args, struct args_given *given)
{
	enum args_verdict verdict = ARGS_RUN;
	long number = 0;

	switch (option) {
	case '4':
		args->target.family = AF_INET;
		break;
	case '6':
		args->target.family = AF_INET6;
		break;
	case 'u':
		verdict = args_set_mode(args, ARGS_DATAGRAM);
		break;
	case 'v':
		args->verbose = true;
		break;
	case 'b':
		verdict = args_number("-b", text, 1, UINT16_MAX, &number);
		args->target.local_port = (uint16_t)number;
		break;
	case 'n':
		verdict = args_number("-n", text, 1, MAX_CONNECTIONS, &number);
		args->connections = (int)number;
		given->connections = true;
		break;
	case 'w':
		verdict = args_number("-w", text, 1, MAX_WAIT_SECONDS, &number);
		args->wait_ms = (int)number * 1000;
		break;
	case 'h':
		return args_print(help_text);
	case 'V':
		return args_print("tcpcli (superd) " PACKAGE_VERSION "\n");
	default:
		verdict = args_long_option(option, text, args, given);
	}
	return verdict;
}

/* What the options mean together, and the operands. */
static enum args_verdict args_finish(
	int count, char **operands, const struct args_given *given, struct args *args)
{
	if (given->order && args->mode != ARGS_INT)
		return args_wrong("--order goes with --int only");
	if (given->connections && args->mode == ARGS_DATAGRAM)
		return args_wrong("-n and -u exclude each other");
	if (count != 2)
		return args_wrong("HOST and PORT are wanted");
	if (!connect_port_valid(operands[1]))
		return args_wrong("'%s' is not a port from 1 to 65535", operands[1]);
	args->target.host = operands[0];
	args->target.port = operands[1];
	args->target.type = args->mode == ARGS_DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;
	args->target.timeout_ms = args->wait_ms != 0 ? args->wait_ms : DEFAULT_CONNECT_MS;
	return ARGS_RUN;
}

enum args_verdict args_parse(int argc, char **argv, struct args *args)
{
	static const struct option long_options[] = {
		{"bytes", required_argument, NULL, OPTION_BYTES},
		{"sum", required_argument, NULL, OPTION_SUM},
		{"int", required_argument, NULL, OPTION_INT},
		{"order", required_argument, NULL, OPTION_ORDER},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	struct args_given given = {0};
	int option;

	*args = (struct args){.connections = 1, .target = {.family = AF_UNSPEC}};
	while ((option = getopt_long(argc, argv, "46ub:n:vw:hV", long_options, NULL)) != -1) {
		enum args_verdict verdict = args_option(option, optarg, args, &given);

		if (verdict != ARGS_RUN)
			return verdict;
	}
	return args_finish(argc - optind, argv + optind, &given, args);
}
