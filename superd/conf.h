/*
 * conf: superd.conf as the daemon sees it, and its loading.
 *
 * superd itself never parses.  A forked child, under CPU, memory and time limits, reads the
 * files, resolves users, checks everything and builds the finished struct conf in an arena
 * that both processes share; superd then maps it read-only.  Everything below struct conf is
 * const, complete and validated; nothing in it needs a further look-up.
 */
#ifndef SUPERD_CONF_H
#define SUPERD_CONF_H

#include "superd/acl.h"
#include "superd/addr.h"
#include "superd/creds.h"
#include "superd/error.h"
#include "superd/hours.h"
#include "superd/limit.h"
#include "superd/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct conf_position {
	const char *file; /* as named on the command line or by include */
	unsigned line;
};

/* One socket to open.  An endpoint of both families is two of these, a port range many. */
struct conf_socket {
	struct addr addr;
	int type;         /* SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET */
	bool wait;        /* a program gets this socket itself; always true for SOCK_DGRAM */
	bool family_half; /* one half of an endpoint without address: a family that the machine
			     lacks is a warning, not an error */
	const char *text; /* canonical: "tcp 127.0.0.1:7", "udp [::]:7", "unix /run/x",
			     "unix-dgram @x", "unix-seqpacket /run/y" */
	struct conf_position where;
};

enum conf_on_full { ON_FULL_QUEUE, ON_FULL_REFUSE };
enum conf_stderr { STDERR_LOG, STDERR_CLIENT, STDERR_NULL };

/* Bits of conf_log.events. */
enum conf_event { EVENT_ACCEPT = 1, EVENT_REFUSE = 2, EVENT_EXIT = 4, EVENT_ERROR = 8 };

struct conf_log {
	bool to_set; /* false: `to` was set nowhere: stderr in the foreground, syslog as a daemon */
	enum log_target to;
	enum log_format format;
	enum log_level level;
	int facility;     /* LOG_DAEMON, ... */
	const char *file; /* path where to is LOG_TO_FILE, otherwise NULL */
	unsigned events;
};

/* One resource limit of a program (setrlimit(2)), soft and hard alike. */
struct conf_rlimit {
	int resource; /* RLIMIT_CPU, RLIMIT_AS, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_FSIZE,
			 RLIMIT_CORE, RLIMIT_STACK */
	rlim_t value; /* CPU: seconds; memory, file size, core, stack: bytes */
};

struct conf_limits {
	unsigned instances;
	enum conf_on_full on_full;
	struct limit_policy sources; /* per_source is resolved: where it was not set, a quarter of
					instances, at least 1, and local_exempt says so */
	unsigned load_permille;      /* of the 1-minute load: 2500 is 2.5; 0: no limit */
	int64_t time_ns;             /* life of a program; 0: no limit */
	int64_t idle_ns;             /* silence of a tcp session; 0: no limit */
	size_t rlimit_count; /* only those that are set; core is always among them (default 0) */
	const struct conf_rlimit *rlimits;
};

struct conf_service {
	const char *name;
	struct conf_position where; /* of "service NAME {" */
	bool enabled;
	size_t socket_count;
	const struct conf_socket *sockets; /* in the order they were written */

	const char *path;        /* absolute path of the program (inside root where one is set) */
	const char *const *argv; /* NULL-terminated; argv[0] is argv0 or what exec[0] said */
	size_t env_count;
	const char *const *env; /* "NAME=value", NULL-terminated: pass-env as superd has them,
				   then env; a name stands once */
	struct creds creds;
	const char *directory; /* "/" by default */
	const char *root;      /* chroot; NULL: none */
	mode_t umask;
	bool no_new_privileges;
	int nice;
	enum conf_stderr stderr_to;

	int backlog;
	const char *bind_device; /* NULL: none */
	bool free_bind;
	bool reuse_port;
	bool transparent;
	bool nodelay;
	unsigned keepalive_s; /* 0: off */
	int receive_buffer;   /* bytes; 0: the kernel's */
	int send_buffer;      /* bytes; 0: the kernel's */
	int tos;              /* -1: the kernel's */
	int64_t mark;         /* -1: none */
	mode_t socket_mode;
	uid_t socket_user; /* (uid_t)-1: unchanged */
	gid_t socket_group;
	const char *banner;      /* NULL: none */
	const char *deny_banner; /* NULL: none */

	const struct acl *acl;            /* NULL: everybody may connect */
	struct conf_position allow_where; /* of the first value of `allow`; file NULL: none */
	const struct hours *hours;        /* when they may; NULL: always */
	const char *hours_text;           /* its values, ", " between them */
	struct conf_position hours_where; /* of the first one */

	struct conf_limits limits;
	struct conf_log log;
};

struct conf {
	const char *file;
	const char *pid_file;       /* NULL: none */
	const char *control_socket; /* NULL: none */
	bool control_set;           /* the file says so: that it cannot be made is an error */
	mode_t control_mode;
	gid_t control_group; /* (gid_t)-1: none */
	gid_t status_group;  /* (gid_t)-1: none */
	const char *service_directory;
	unsigned max_instances;
	int64_t grace_ns;
	int64_t drain_ns;    /* at stop, how long live sessions may finish */
	struct conf_log log; /* superd's own lines */
	size_t service_count;
	const struct conf_service *services; /* in the order they were written */
	const char *const *acl_sources;      /* the files that acl_rule.source counts */
};

#define CONF_SINGLE_NAME "command line" /* instead of a file's name */

/* One service, given on the command line instead of a file (superd --listen). */
struct conf_single {
	size_t listen_count;
	const char *const *listen; /* endpoints */
	size_t set_count;
	const char *const *set;  /* what else would stand in its service block */
	const char *const *argv; /* the program and its arguments, NULL-terminated */
};

/* What a load needs to know from outside the files. */
struct conf_request {
	const char *file;
	const struct conf_single *single; /* instead of what file says; NULL: none. file is then
					     what struct conf shall call it */
	const char *service_directory;    /* where `service-directory` is not set */
	enum {
		CONF_BUILD, /* a struct conf in the arena */
		CONF_CHECK, /* problems only (superd -t) */
		CONF_PRINT, /* the effective configuration to descriptor 1 (superd -T) */
	} mode;
};

enum conf_severity { CONF_PROBLEM, CONF_WARNING };

/*
 * A load under way.  Owns the arena until conf_load_end() hands it over.
 */
struct conf_load;

/*
 * Forks the loader.  *load is the caller's to end with conf_load_end().
 * Returns 0, or -1 with *error (fork, mmap, pipe).
 */
int conf_load_begin(
	const struct conf_request *request, struct conf_load **load, struct error *error);

/* The descriptor that becomes readable with messages and at the loader's end; non-blocking. */
int conf_load_fd(const struct conf_load *load);

/* The loader's process id; the caller reaps it and gives its wait(2) status to conf_load_end(). */
pid_t conf_load_pid(const struct conf_load *load);

/*
 * Reads what has come and calls message_cb for each complete message, a line without newline
 * ("FILE:LINE: text").  Returns 1 while the loader may still write, 0 at end of file.
 */
int conf_load_read(struct conf_load *load,
	void (*message_cb)(void *owner, enum conf_severity severity, const char *text),
	void *owner);

/* Kills the loader (deadline passed, superd stops); it must still be reaped and ended. */
void conf_load_kill(struct conf_load *load);

/*
 * Ends the load, after conf_load_read() returned 0 and the process was reaped with wait_status.
 * On success (exit status 0, mode CONF_BUILD) *conf is the configuration, read-only, the
 * caller's to conf_free(); in the other modes *conf is NULL.  Returns 0, or -1 with *error, whose
 * text is empty where the messages have said it all and otherwise names what became of the loader
 * ("the configuration loader was killed by SIGSEGV").  load is gone in every case.
 */
int conf_load_end(
	struct conf_load *load, int wait_status, const struct conf **conf, struct error *error);

/*
 * All of the above for a caller that may wait (at start, superd -t): at most 20 s.
 */
int conf_load(const struct conf_request *request,
	void (*message_cb)(void *owner, enum conf_severity severity, const char *text), void *owner,
	const struct conf **conf, struct error *error);

/* Where a configuration lies, for the same program once it has been executed again. */
struct conf_image_place {
	int fd; /* of its memory; -1: it cannot be handed over */
	int64_t address;
	int64_t size;
};

/* fd stays conf's; it is close-on-exec. */
void conf_export(const struct conf *conf, struct conf_image_place *place);

/*
 * Maps a configuration that conf_export() told of in the process that was this one before
 * exec(2), by the very same program: nothing in it points elsewhere. place->fd belongs to *conf
 * from then on. Returns 0, or -1 with *error (its place is taken: load it again; fd stays open).
 */
int conf_import(
	const struct conf_image_place *place, const struct conf **conf, struct error *error);

/* Unmaps the arena; conf may be NULL. */
void conf_free(const struct conf *conf);

#endif
