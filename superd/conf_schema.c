/*
 * conf_schema: the table.  A new option is a row here and nothing else, unless it needs a
 * check of its own.
 */
#include "config.h"
#include "superd/conf_schema.h"
#include "superd/clock.h"
#include "superd/conf.h"

#include <string.h>
#include <syslog.h>

/* Where a row's value goes. */
#define FIELD(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define CONF(member) FIELD(struct conf, member)
#define SERVICE(member) FIELD(struct conf_service, member)
#define LOG(member) FIELD(struct conf_log, member)
#define LIMITS(member) FIELD(struct conf_limits, member)

#define DAY_NS (86400 * CLOCK_NS_PER_S)
#define YEAR_NS (365 * DAY_NS)
#define EXBIBYTE (INT64_C(1) << 60)
#define MAX_UINT32 INT64_C(4294967295)

static const struct conf_word words_level[] = {
	{"error", LEVEL_ERROR},
	{"warning", LEVEL_WARNING},
	{"notice", LEVEL_NOTICE},
	{"info", LEVEL_INFO},
	{"debug", LEVEL_DEBUG},
	{NULL, 0},
};

static const struct conf_word words_to[] = {
	{"stderr", LOG_TO_STDERR},
	{"syslog", LOG_TO_SYSLOG},
	{"file", LOG_TO_FILE},
	{NULL, 0},
};

static const struct conf_word words_format[] = {
	{"text", LOG_TEXT},
	{"json", LOG_JSON},
	{NULL, 0},
};

static const struct conf_word words_event[] = {
	{"accept", EVENT_ACCEPT},
	{"refuse", EVENT_REFUSE},
	{"exit", EVENT_EXIT},
	{"error", EVENT_ERROR},
	{NULL, 0},
};

static const struct conf_word words_facility[] = {
	{"auth", LOG_AUTH},
	{"authpriv", LOG_AUTHPRIV},
	{"cron", LOG_CRON},
	{"daemon", LOG_DAEMON},
	{"ftp", LOG_FTP},
	{"lpr", LOG_LPR},
	{"mail", LOG_MAIL},
	{"news", LOG_NEWS},
	{"syslog", LOG_SYSLOG},
	{"user", LOG_USER},
	{"uucp", LOG_UUCP},
	{"local0", LOG_LOCAL0},
	{"local1", LOG_LOCAL1},
	{"local2", LOG_LOCAL2},
	{"local3", LOG_LOCAL3},
	{"local4", LOG_LOCAL4},
	{"local5", LOG_LOCAL5},
	{"local6", LOG_LOCAL6},
	{"local7", LOG_LOCAL7},
	{NULL, 0},
};

static const struct conf_word words_stderr[] = {
	{"log", STDERR_LOG},
	{"client", STDERR_CLIENT},
	{"null", STDERR_NULL},
	{NULL, 0},
};

static const struct conf_word words_on_full[] = {
	{"queue", ON_FULL_QUEUE},
	{"refuse", ON_FULL_REFUSE},
	{NULL, 0},
};

/* clang-format off */
static const struct conf_option conf_options[] = {
	/* --- top level --- */
	{BLOCK_TOP, "pid-file", KIND_PATH, CONF(pid_file), .flags = OPTION_EMPTY,
		.summary = "file that holds the process id while superd runs"},
	{BLOCK_TOP, "control-socket", KIND_PATH, "/run/superd/control.sock", CONF(control_socket),
		.flags = OPTION_EMPTY,
		.summary = "where superctl(8) finds superd"},
	{BLOCK_TOP, "control-mode", KIND_OCTAL, "0600", CONF(control_mode), .max = 0777,
		.note = "0600; with control-group or status-group 0660",
		.summary = "mode of the control socket's file"},
	{BLOCK_TOP, "control-group", KIND_GROUP,
		.summary = "group whose members may do everything by the control socket"},
	{BLOCK_TOP, "status-group", KIND_GROUP,
		.summary = "group whose members may look, and change nothing"},
	{BLOCK_TOP, "service-directory", KIND_PATH, CONF(service_directory),
		.note = "the directory the bundled services were installed in",
		.summary = "where the program of a bare name in exec is looked up"},
	{BLOCK_TOP, "max-instances", KIND_INTEGER, "1024", CONF(max_instances),
		.min = 1, .max = 1000000,
		.summary = "programs of all services together at once"},
	{BLOCK_TOP, "grace", KIND_TIME, "10s", CONF(grace_ns), .max = DAY_NS,
		.summary = "time between the TERM and the KILL signal"},
	{BLOCK_TOP, "drain", KIND_TIME, "0s", CONF(drain_ns), .max = DAY_NS,
		.summary = "at stop, how long live sessions may finish before TERM"},

	/* --- service, defaults, template --- */
	{BLOCK_SERVICE, "listen", KIND_ENDPOINTS, .flags = OPTION_SERVICE_ONLY,
		.note = "the service's name in /etc/services, tcp",
		.summary = "where to listen"},
	{BLOCK_SERVICE, "exec", KIND_STRINGS, .flags = OPTION_SERVICE_ONLY | OPTION_REQUIRED,
		.summary = "the program and its arguments"},
	{BLOCK_SERVICE, "argv0", KIND_STRING, .flags = OPTION_SERVICE_ONLY,
		.note = "what exec says first",
		.summary = "the program's name as it sees it"},
	{BLOCK_SERVICE, "use", KIND_NAMES, .flags = OPTION_SERVICE_ONLY,
		.summary = "templates to take values from, the first one first"},
	{BLOCK_SERVICE, "enabled", KIND_BOOL, "yes", SERVICE(enabled),
		.summary = "no: checked, but not listened"},
	{BLOCK_SERVICE, "wait", KIND_BOOL,
		.note = "no for streams, yes for datagrams",
		.summary = "yes: the program gets the socket itself"},
	{BLOCK_SERVICE, "user", KIND_USER, "nobody", .flags = OPTION_ROOT,
		.note = "nobody when started as root, else superd's own",
		.summary = "user the program runs as"},
	{BLOCK_SERVICE, "group", KIND_GROUP, .note = "the user's group",
		.summary = "group the program runs as"},
	{BLOCK_SERVICE, "groups", KIND_GROUPS,
		.summary = "supplementary groups"},
	{BLOCK_SERVICE, "directory", KIND_PATH, "/", SERVICE(directory),
		.summary = "working directory"},
	{BLOCK_SERVICE, "root", KIND_PATH, SERVICE(root),
		.flags = OPTION_EMPTY | OPTION_PRIVILEGED,
		.summary = "root directory (chroot(2))"},
	{BLOCK_SERVICE, "umask", KIND_OCTAL, "022", SERVICE(umask), .max = 0777,
		.summary = "file mode creation mask"},
	{BLOCK_SERVICE, "no-new-privileges", KIND_BOOL, SERVICE(no_new_privileges),
		.note = "yes unless the program runs as root",
		.summary = "set-user-ID programs gain nothing"},
	{BLOCK_SERVICE, "nice", KIND_INTEGER, "0", SERVICE(nice), .min = -20, .max = 19,
		.summary = "scheduling priority"},
	{BLOCK_SERVICE, "stderr", KIND_WORD, "log", SERVICE(stderr_to), .words = words_stderr,
		.summary = "where the program's standard error goes"},
	{BLOCK_SERVICE, "pass-env", KIND_VARIABLES, "PATH LANG TZ",
		.summary = "variables of superd's environment that the program gets"},
	{BLOCK_SERVICE, "backlog", KIND_INTEGER, "1024", SERVICE(backlog),
		.min = 1, .max = 65535, .applies = APPLIES_STREAM,
		.summary = "connections the kernel queues"},
	{BLOCK_SERVICE, "bind-device", KIND_STRING, SERVICE(bind_device),
		.flags = OPTION_EMPTY, .applies = APPLIES_IP,
		.summary = "network interface to listen on"},
	{BLOCK_SERVICE, "free-bind", KIND_BOOL, "no", SERVICE(free_bind), .applies = APPLIES_IP,
		.summary = "listen on addresses that do not exist yet"},
	{BLOCK_SERVICE, "reuse-port", KIND_BOOL, "no", SERVICE(reuse_port), .applies = APPLIES_IP,
		.summary = "share the port with other programs that do the same"},
	{BLOCK_SERVICE, "transparent", KIND_BOOL, "no", SERVICE(transparent),
		.applies = APPLIES_IP,
		.summary = "accept what a firewall rule redirects from any address"},
	{BLOCK_SERVICE, "nodelay", KIND_BOOL, "yes", SERVICE(nodelay),
		.applies = APPLIES_ACCEPTED_TCP,
		.summary = "send small pieces at once"},
	{BLOCK_SERVICE, "keepalive", KIND_SECONDS, "2h", SERVICE(keepalive_s), .max = 32767,
		.applies = APPLIES_ACCEPTED_TCP,
		.summary = "silence after which the peer is probed; 0: never"},
	{BLOCK_SERVICE, "receive-buffer", KIND_SIZE, "0", SERVICE(receive_buffer),
		.max = INT64_C(1) << 30, .note = "the kernel's",
		.summary = "socket receive buffer; 0: the kernel's choice"},
	{BLOCK_SERVICE, "send-buffer", KIND_SIZE, "0", SERVICE(send_buffer),
		.max = INT64_C(1) << 30, .note = "the kernel's",
		.summary = "socket send buffer; 0: the kernel's choice"},
	{BLOCK_SERVICE, "tos", KIND_INTEGER, SERVICE(tos), .max = 255, .applies = APPLIES_IP,
		.note = "the kernel's",
		.summary = "type of service (traffic class) of outgoing packets"},
	{BLOCK_SERVICE, "mark", KIND_INTEGER, SERVICE(mark), .max = MAX_UINT32,
		.applies = APPLIES_IP,
		.summary = "firewall mark of outgoing packets"},
	{BLOCK_SERVICE, "socket-mode", KIND_OCTAL, "0660", SERVICE(socket_mode), .max = 0777,
		.applies = APPLIES_UNIX_PATH,
		.summary = "mode of a unix socket's file"},
	{BLOCK_SERVICE, "socket-user", KIND_USER, .applies = APPLIES_UNIX_PATH,
		.note = "the service's user",
		.summary = "owner of a unix socket's file"},
	{BLOCK_SERVICE, "socket-group", KIND_GROUP, .applies = APPLIES_UNIX_PATH,
		.note = "the service's group",
		.summary = "group of a unix socket's file"},
	{BLOCK_SERVICE, "banner", KIND_STRING, SERVICE(banner),
		.flags = OPTION_EMPTY | OPTION_PEER, .applies = APPLIES_ACCEPTED,
		.summary = "text sent to each accepted client"},
	{BLOCK_SERVICE, "deny-banner", KIND_STRING, SERVICE(deny_banner),
		.flags = OPTION_EMPTY | OPTION_PEER, .applies = APPLIES_ACCEPTED,
		.summary = "text sent to each refused client"},

	/* --- acl --- */
	{BLOCK_ACL, "allow", KIND_NETWORKS,
		.flags = OPTION_PEER | OPTION_GUARD, .applies = APPLIES_ACCEPTED,
		.note = "everybody",
		.summary = "who may connect"},
	{BLOCK_ACL, "deny", KIND_NETWORKS,
		.flags = OPTION_PEER | OPTION_GUARD, .applies = APPLIES_ACCEPTED,
		.summary = "who may not connect"},
	{BLOCK_ACL, "hours", KIND_HOURS,
		.flags = OPTION_PEER | OPTION_GUARD, .applies = APPLIES_ACCEPTED,
		.note = "always",
		.summary = "when clients may connect"},

	/* --- log --- */
	{BLOCK_LOG, "to", KIND_WORD, LOG(to), .words = words_to,
		.note = "stderr in the foreground, syslog as a daemon",
		.summary = "where lines go"},
	{BLOCK_LOG, "file", KIND_PATH, LOG(file), .flags = OPTION_EMPTY,
		.summary = "log file, for to = file"},
	{BLOCK_LOG, "level", KIND_WORD, "info", LOG(level), .words = words_level,
		.summary = "least severe lines that are written"},
	{BLOCK_LOG, "format", KIND_WORD, "text", LOG(format), .words = words_format,
		.summary = "key=value text or JSON"},
	{BLOCK_LOG, "events", KIND_WORDS, "refuse exit error", LOG(events), .words = words_event,
		.summary = "what of a connection is written"},
	{BLOCK_LOG, "facility", KIND_WORD, "daemon", LOG(facility), .words = words_facility,
		.summary = "syslog facility"},

	/* --- limits --- */
	{BLOCK_LIMITS, "instances", KIND_INTEGER, "64", LIMITS(instances),
		.min = 1, .max = 1000000,
		.summary = "programs of this service at once"},
	{BLOCK_LIMITS, "on-full", KIND_WORD, "queue", LIMITS(on_full), .words = words_on_full,
		.flags = OPTION_REFUSES, .applies = APPLIES_ACCEPTED,
		.summary = "what happens to clients beyond that"},
	{BLOCK_LIMITS, "per-source", KIND_INTEGER, LIMITS(sources.per_source),
		.max = 1000000, .flags = OPTION_PEER, .applies = APPLIES_ACCEPTED,
		.note = "a quarter of instances, at least 1",
		.summary = "programs of this service at once for one source; 0: no limit"},
	{BLOCK_LIMITS, "rate", KIND_RATE, "0", LIMITS(sources.rate),
		.flags = OPTION_PEER, .applies = APPLIES_ACCEPTED,
		.summary = "new connections in a time; 0: no limit"},
	{BLOCK_LIMITS, "per-source-rate", KIND_RATE, "0", LIMITS(sources.per_source_rate),
		.flags = OPTION_PEER, .applies = APPLIES_ACCEPTED,
		.summary = "new connections of one source in a time; 0: no limit"},
	{BLOCK_LIMITS, "burst", KIND_INTEGER, "10", LIMITS(sources.burst),
		.min = 1, .max = 1000000, .applies = APPLIES_ACCEPTED,
		.summary = "connections by which a rate may run ahead"},
	{BLOCK_LIMITS, "source-prefix4", KIND_INTEGER, "32", LIMITS(sources.source_prefix4),
		.min = 1, .max = 32, .applies = APPLIES_ACCEPTED_TCP,
		.summary = "leading bits of an IPv4 address that make one source"},
	{BLOCK_LIMITS, "source-prefix6", KIND_INTEGER, "64", LIMITS(sources.source_prefix6),
		.min = 1, .max = 128, .applies = APPLIES_ACCEPTED_TCP,
		.summary = "leading bits of an IPv6 address that make one source"},
	{BLOCK_LIMITS, "load", KIND_DECIMAL, "0", LIMITS(load_permille), .max = 1000000,
		.flags = OPTION_REFUSES, .applies = APPLIES_ACCEPTED,
		.summary = "load of the machine (1 minute) above which nobody is served; 0: none"},
	{BLOCK_LIMITS, "time", KIND_TIME, "0s", LIMITS(time_ns), .max = YEAR_NS,
		.summary = "how long a program may live; 0: no limit"},
	{BLOCK_LIMITS, "idle", KIND_TIME, "0s", LIMITS(idle_ns), .max = YEAR_NS,
		.flags = OPTION_PEER, .applies = APPLIES_ACCEPTED_TCP,
		.summary = "silence in both directions after which a session ends; 0: no limit"},
	{BLOCK_LIMITS, "cpu", KIND_SECONDS, "0", .max = INT32_MAX,
		.flags = OPTION_RLIMIT, .resource = RLIMIT_CPU,
		.summary = "processor time of a program; 0: no limit"},
	{BLOCK_LIMITS, "memory", KIND_SIZE, "0", .max = EXBIBYTE,
		.flags = OPTION_RLIMIT | OPTION_UNLIMITED, .resource = RLIMIT_AS,
		.summary = "address space of a process; 0: no limit"},
	{BLOCK_LIMITS, "processes", KIND_INTEGER, "0", .max = INT32_MAX,
		.flags = OPTION_RLIMIT | OPTION_UNLIMITED, .resource = RLIMIT_NPROC,
		.summary = "processes of the program's user, system-wide; 0: no limit"},
	{BLOCK_LIMITS, "open-files", KIND_INTEGER, "0", .max = INT32_MAX,
		.flags = OPTION_RLIMIT, .resource = RLIMIT_NOFILE,
		.note = "what superd was started with",
		.summary = "open files of a process; 0: what superd was started with"},
	{BLOCK_LIMITS, "file-size", KIND_SIZE, "0", .max = EXBIBYTE,
		.flags = OPTION_RLIMIT | OPTION_UNLIMITED, .resource = RLIMIT_FSIZE,
		.summary = "largest file a process may write; 0: no limit"},
	{BLOCK_LIMITS, "core-size", KIND_SIZE, "0", .max = EXBIBYTE,
		.flags = OPTION_RLIMIT | OPTION_UNLIMITED, .resource = RLIMIT_CORE,
		.summary = "largest core dump; 0: none"},
	{BLOCK_LIMITS, "stack", KIND_SIZE, "0", .max = EXBIBYTE,
		.flags = OPTION_RLIMIT | OPTION_UNLIMITED, .resource = RLIMIT_STACK,
		.summary = "stack of a process; 0: no limit"},
	{.name = NULL},
};
/* clang-format on */

#define BIT(block) (1U << (block))
#define SERVICES (BIT(BLOCK_SERVICE) | BIT(BLOCK_TEMPLATE) | BIT(BLOCK_DEFAULTS))

static const struct conf_block conf_blocks[BLOCK_COUNT] = {
	{BLOCK_TOP, "", false, 0},
	{BLOCK_LOG, "log", false, BIT(BLOCK_TOP) | SERVICES},
	{BLOCK_DEFAULTS, "defaults", false, BIT(BLOCK_TOP)},
	{BLOCK_TEMPLATE, "template", true, BIT(BLOCK_TOP)},
	{BLOCK_SERVICE, "service", true, BIT(BLOCK_TOP)},
	{BLOCK_LIMITS, "limits", false, SERVICES},
	{BLOCK_ACL, "acl", false, SERVICES},
	{BLOCK_ENV, "env", false, SERVICES},
};

const struct conf_option *conf_schema_options(void)
{
	return conf_options;
}

static bool conf_name_equal(const char *name, const char *text, size_t length)
{
	return strncmp(name, text, length) == 0 && name[length] == '\0';
}

const struct conf_option *conf_schema_find(
	enum conf_block_kind block, const char *name, size_t length)
{
	const struct conf_option *option;

	for (option = conf_options; option->name != NULL; option++) {
		if (conf_option_in(option, block) && conf_name_equal(option->name, name, length))
			return option;
	}
	return NULL;
}

bool conf_option_in(const struct conf_option *option, enum conf_block_kind block)
{
	if (block == BLOCK_DEFAULTS || block == BLOCK_TEMPLATE)
		return option->block == BLOCK_SERVICE && !(option->flags & OPTION_SERVICE_ONLY);
	return option->block == block;
}

bool conf_option_is_list(const struct conf_option *option)
{
	return option->kind >= KIND_WORDS;
}

const char *conf_kind_name(enum conf_kind kind)
{
	static const char *const names[] = {
		[KIND_BOOL] = "yes/no",
		[KIND_INTEGER] = "number",
		[KIND_OCTAL] = "octal",
		[KIND_SIZE] = "size",
		[KIND_TIME] = "time",
		[KIND_SECONDS] = "time",
		[KIND_DECIMAL] = "number",
		[KIND_RATE] = "rate",
		[KIND_WORD] = "word",
		[KIND_STRING] = "string",
		[KIND_PATH] = "path",
		[KIND_USER] = "user",
		[KIND_GROUP] = "group",
		[KIND_WORDS] = "words",
		[KIND_STRINGS] = "strings",
		[KIND_NAMES] = "names",
		[KIND_VARIABLES] = "names",
		[KIND_GROUPS] = "groups",
		[KIND_ENDPOINTS] = "endpoints",
		[KIND_NETWORKS] = "networks",
		[KIND_HOURS] = "hours",
	};

	return names[kind];
}

const struct conf_block *conf_block_get(enum conf_block_kind kind)
{
	return &conf_blocks[kind];
}

const struct conf_block *conf_block_find(const char *name, size_t length)
{
	size_t i;

	for (i = BLOCK_TOP + 1; i < BLOCK_COUNT; i++) {
		if (conf_name_equal(conf_blocks[i].name, name, length))
			return &conf_blocks[i];
	}
	return NULL;
}

bool conf_block_inside(const struct conf_block *block, enum conf_block_kind outer)
{
	return (block->inside & BIT(outer)) != 0;
}
