/*
 * super: owns configuration, services, loop and children: start, run, stop.
 */
#ifndef SUPERD_SUPER_H
#define SUPERD_SUPER_H

#include "superd/conf.h"
#include "superd/error.h"
#include "superd/loop.h"
#include "superd/spawn.h"
#include "superd/upgrade.h"

#include <stdbool.h>

/* The command line. */
struct super_options {
	const char *conf_file;
	const struct conf_single *single; /* one service without a file; NULL: conf_file */
	const char *service_directory;    /* default of `service-directory` */
	const char *pid_file;             /* NULL: the configuration's */
	bool detach;
	int level;    /* enum log_level for everything; -1: the configuration's */
	int ready_fd; /* -1: none */
	enum loop_kind loop;
	enum spawn_kind spawn;
	char *const *argv;               /* all of it: an upgrade starts the new program with it */
	char *exe;                       /* the program's path at the start; NULL: not known */
	char *directory;                 /* where it was started; NULL: not known */
	struct upgrade_arrival *arrival; /* how: by an upgrade, or not */
};

/*
 * Runs superd until it is told to stop. Problems of the start go to standard error, everything
 * else to the log. Returns the exit status of interface.md: 0, 1 (configuration), 69 (no
 * listener could be opened), 71 (operating system).
 */
int super_run(const struct super_options *options);

#endif
