/*
 * conf_schema: every block and option superd.conf knows, in one table.
 *
 * A row is all there is to say about an option: libconfuse's tables, the checks of its values,
 * the suggestions for a misspelt name, what is inherited, where the value goes in struct conf,
 * the printed configuration and the lint of the manual page are all driven by it.
 */
#ifndef SUPERD_CONF_SCHEMA_H
#define SUPERD_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The order is that of conf_blocks[]; defaults and template have the options of service. */
enum conf_block_kind {
	BLOCK_TOP,
	BLOCK_LOG,
	BLOCK_DEFAULTS,
	BLOCK_TEMPLATE,
	BLOCK_SERVICE,
	BLOCK_LIMITS,
	BLOCK_ACL,
	BLOCK_ENV,
	BLOCK_COUNT,
};

struct conf_block {
	enum conf_block_kind kind;
	const char *name; /* as it is written; "" for the top level */
	bool titled;      /* "service NAME {", any number of them */
	unsigned inside;  /* bits 1 << enum conf_block_kind: where it may stand */
};

enum conf_kind {
	KIND_BOOL,
	KIND_INTEGER,
	KIND_OCTAL,
	KIND_SIZE,
	KIND_TIME,    /* kept in nanoseconds */
	KIND_SECONDS, /* a time kept in whole seconds, rounded up */
	KIND_DECIMAL, /* kept in thousandths */
	KIND_RATE,    /* kept as conf_value_rate() packs it, in a struct limit_rate in the end */
	KIND_WORD,    /* one of words */
	KIND_STRING,
	KIND_PATH, /* absolute */
	KIND_USER,
	KIND_GROUP,
	/* From here on lists. */
	KIND_WORDS,     /* some of words, or-ed */
	KIND_STRINGS,   /* a program and its arguments */
	KIND_NAMES,     /* templates */
	KIND_VARIABLES, /* names of environment variables */
	KIND_GROUPS,
	KIND_ENDPOINTS,
	KIND_NETWORKS, /* who may or may not connect */
	KIND_HOURS,    /* times of the week */
};

/* What an endpoint must be for an option to mean anything to it. */
enum conf_applies {
	APPLIES_ALWAYS,
	APPLIES_STREAM,       /* it listens: tcp, unix, unix-seqpacket */
	APPLIES_IP,           /* tcp or udp */
	APPLIES_ACCEPTED,     /* a stream superd itself accepts on: wait = no */
	APPLIES_ACCEPTED_TCP, /* such a one, and tcp */
	APPLIES_UNIX_PATH,    /* a unix socket in the file system */
};

enum conf_option_flag {
	OPTION_SERVICE_ONLY = 1, /* not in defaults and template */
	OPTION_EMPTY = 2,        /* "" is allowed and means none */
	OPTION_UNLIMITED = 4,    /* "unlimited" is allowed */
	OPTION_RLIMIT = 8,       /* a resource limit: `resource` says which */
	OPTION_PEER = 16,        /* needs the peer, which superd never sees on an endpoint with
				    wait or datagrams: an error beside one */
	OPTION_ROOT = 32,        /* the default holds when superd was started as root */
	OPTION_REQUIRED = 64,
	OPTION_PRIVILEGED = 128, /* only where superd was started as root */
	OPTION_GUARD = 256,      /* keeps clients out: where it needs the peer, an inherited one is
				    an error too, for nothing may look guarded that is not */
	OPTION_REFUSES = 512,    /* turns clients away: a warning beside an endpoint where superd
				    sees none, also inherited */
};

struct conf_word {
	const char *name; /* NULL ends the list */
	int value;
};

struct conf_option {
	enum conf_block_kind block; /* of the blocks that hold options of their own */
	const char *name;
	enum conf_kind kind;
	const char *fallback; /* the default as one would write it (a list: with blanks between);
				 NULL: none */
	const char *note;     /* for people: the default where it is computed; NULL: fallback */
	int64_t min, max;
	const struct conf_word *words;
	size_t offset; /* in struct conf, conf_service, conf_log or conf_limits, by block */
	size_t size;   /* of the field there; 0: it goes nowhere by itself */
	int resource;
	enum conf_applies applies;
	unsigned flags;      /* enum conf_option_flag */
	const char *summary; /* one line for people */
};

/* All options, block by block; ends with a row without name. */
const struct conf_option *conf_schema_options(void);

/* The option name in a block of that kind, or NULL; name need not end with a NUL. */
const struct conf_option *conf_schema_find(
	enum conf_block_kind block, const char *name, size_t length);

/* Whether an option may stand in a block of that kind. */
bool conf_option_in(const struct conf_option *option, enum conf_block_kind block);

bool conf_option_is_list(const struct conf_option *option);

/* "number", "time", "yes/no", ...: as the manual page calls it. */
const char *conf_kind_name(enum conf_kind kind);

/* The block of that kind. */
const struct conf_block *conf_block_get(enum conf_block_kind kind);

/* The block name, wherever it may stand, or NULL. */
const struct conf_block *conf_block_find(const char *name, size_t length);

/* Whether a block may stand in one of kind outer. */
bool conf_block_inside(const struct conf_block *block, enum conf_block_kind outer);

#endif
