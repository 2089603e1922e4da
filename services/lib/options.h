/*
 * options: the command line of the bundled programs, from one table that also makes the help.
 *
 * Short (-t 5, -t5, -rn 5) and long (--idle 5, --idle=5) options may stand before, between and
 * behind the operands; "--" ends them.  -h, --help, -V and --version are always there.
 */
#ifndef SERVICES_LIB_OPTIONS_H
#define SERVICES_LIB_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

struct options_entry {
	char letter;          /* 't' for -t; 0: long only */
	const char *name;     /* "idle" for --idle; NULL: short only */
	const char *argument; /* what the help calls the argument; NULL: it has none */
	const char *text;     /* one line for the help */
};

struct options {
	const char *operands; /* for the usage line: "send|fetch"; NULL: none are allowed */
	const char *summary;  /* for the help: what the program does, one line */
	size_t count;
	const struct options_entry *entries;
	/* Takes one option; value is NULL where it has no argument, otherwise part of argv.
	   Returns 0, or -1 for a value that will not do (it is reported here). */
	int (*option_cb)(void *owner, const struct options_entry *entry, const char *value);
	void *owner;
};

enum options_result {
	OPTIONS_RUN,    /* go on */
	OPTIONS_DONE,   /* the help or the version was printed: exit 0 */
	OPTIONS_FAILED, /* it could not be, which was reported on standard error: exit 1 */
	OPTIONS_WRONG,  /* the fault was reported on standard error: exit 2 (EXIT_USAGE) */
};

/* The exit statuses of every bundled program. */
enum {
	STATUS_DONE = 0,
	STATUS_FAILED = 1,    /* the client or the network failed */
	STATUS_USAGE = 2,     /* options or descriptors are not what the program serves */
	STATUS_TEMPFAIL = 75, /* EX_TEMPFAIL: try later */
};

/*
 * Goes through the command line.  The operands are moved to argv[1] and on, NULL behind the
 * last, and *count is their number.
 */
enum options_result options_parse(
	const struct options *options, int argc, char **argv, size_t *count);

/* The exit status that goes with every result but OPTIONS_RUN. */
int options_status(enum options_result result);

/*
 * Prints a help or version text that is not made by options_parse().  Returns OPTIONS_DONE, or
 * OPTIONS_FAILED where standard output does not take it, after saying so on standard error.
 */
enum options_result options_print(const char *text);

#endif
