/*
 * super_start: from the command line to open listeners, and everything's end.
 */
#include "config.h"
#include "superd/super_private.h"

#include "superd/clock.h"
#include "superd/descriptor.h"
#include "superd/pidfile.h"
#include "superd/sockdiag.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define EXIT_CONF 1
#define SETTLE_MS 1000 /* how long the end waits for starts that are under way */

static void super_ignore_stuck(void *pool_owner, void *owner, pid_t pid)
{
	(void)pool_owner;
	(void)owner;
	(void)pid;
}

/* The first problem is kept, for the program that an upgrade goes back to. */
static void super_print_message(void *owner, enum conf_severity severity, const char *text)
{
	struct super *super = owner;

	if (severity == CONF_PROBLEM && super->problem[0] == '\0')
		snprintf(super->problem, sizeof(super->problem), "%s", text);
	fprintf(stderr, severity == CONF_WARNING ? "%s (warning)\n" : "%s\n", text);
}

/* The configuration: of the file, or, on the way back from an upgrade, the one that was in force,
   whatever has become of the file. */
static int super_load_conf(struct super *super, struct error *error)
{
	const struct super_options *options = super->options;
	struct conf_image_place *before = &options->arrival->state.conf;
	struct conf_request request = {
		.file = options->conf_file,
		.single = options->single,
		.service_directory = options->service_directory,
		.mode = CONF_BUILD,
	};

	if (options->arrival->role == UPGRADE_BACK && before->fd >= 0 &&
		conf_import(before, &super->conf, error) == 0) {
		before->fd = -1;
		return 0;
	}
	error->code = 0;
	error->text[0] = '\0';
	return conf_load(&request, super_print_message, super, &super->conf, error);
}

int super_load(struct super *super, struct error *error)
{
	const struct super_options *options = super->options;

	if (descriptor_fill_standard(error) != 0)
		return EX_OSERR;
	descriptor_cloexec_inherited();
	inherit_listen_fds(&super->given, &super->given_problem);
	super->context.given = &super->given;
	descriptor_raise_limit(&super->open_files);
	if (options->arrival->role != UPGRADE_NONE)
		super_restore_limit(&super->open_files, &options->arrival->state);
	super->context.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (super->context.null_fd < 0) {
		error_set(error, errno, "/dev/null");
		return EX_OSERR;
	}
	if (super_load_conf(super, error) != 0)
		return error->code != 0 ? EX_OSERR : EXIT_CONF;
	super->context.conf = super->conf;
	return 0;
}

int super_open_sink(const struct super *super, const struct conf_log *log, struct log_sink **sink,
	struct error *error)
{
	struct log_spec spec = {
		.to = log->to,
		.format = log->format,
		.facility = log->facility,
		.file = log->file,
	};

	if (!log->to_set)
		spec.to = super->options->detach ? LOG_TO_SYSLOG : LOG_TO_STDERR;
	return log_sink_open(&spec, sink, error);
}

static int super_make_service(struct super *super, const struct conf_service *conf,
	struct service **service, struct error *error)
{
	struct log_sink *sink;

	if (super_open_sink(super, &conf->log, &sink, error) != 0)
		return -1;
	return service_new(&super->context, conf, sink, service, error);
}

static int super_build_services(struct super *super, struct error *error)
{
	const struct conf *conf = super->conf;
	struct service **items = calloc(conf->service_count + 1, sizeof(struct service *));
	struct service **by_name = calloc(conf->service_count + 1, sizeof(struct service *));
	size_t count = 0;
	int result = 0;

	if (items == NULL || by_name == NULL) {
		free(items);
		free(by_name);
		return error_set(error, ENOMEM, "services");
	}
	for (size_t i = 0; result == 0 && i < conf->service_count; i++) {
		if (!conf->services[i].enabled)
			continue;
		result = super_make_service(super, &conf->services[i], &items[count], error);
		count += result == 0;
	}
	service_list_sort(items, by_name, count);
	service_list_replace(&super->services, items, by_name, count);
	return result;
}

static int super_build_log(struct super *super, struct error *error)
{
	struct service_context *context = &super->context;
	const struct conf_log *log = &super->conf->log;
	struct log_sink *sink;

	if (super_open_sink(super, log, &sink, error) != 0)
		return -1;
	if (report_new(context->loop, sink, log->level, super->options->level, &context->report,
		    error) != 0) {
		log_sink_close(sink);
		return -1;
	}
	return 0;
}

bool super_needs_sockdiag(const struct conf *conf)
{
	for (size_t i = 0; i < conf->service_count; i++) {
		if (conf->services[i].enabled && conf->services[i].limits.idle_ns > 0)
			return true;
	}
	return false;
}

/* What the service manager shows of superd. */
static void super_status(void *owner, char *text, size_t size)
{
	const struct super *super = owner;
	size_t listeners = 0;

	for (size_t i = 0; i < super->services.count; i++)
		listeners += service_open_count(super->services.items[i]);
	snprintf(text, size, "%s%zu services, %zu listeners, %zu programs running",
		super->stopping ? "stopping: " : "", super->services.count, listeners,
		children_count(super->context.children));
}

int super_build(struct super *super, struct error *error)
{
	const struct super_options *options = super->options;
	struct service_context *context = &super->context;
	const char *note;

	if (loop_new(options->loop, &context->loop, error) != 0 ||
		super_build_log(super, error) != 0 ||
		spawn_new(options->spawn, &super->open_files, &context->spawn, &note, error) != 0 ||
		children_new(&context->children, error) != 0 ||
		super_build_services(super, error) != 0 || super_reload_init(super, error) != 0)
		return EX_OSERR;
	if (super_needs_sockdiag(super->conf) && sockdiag_new(&context->sockdiag, error) != 0)
		return EX_OSERR;
	if (note != NULL && options->arrival->role == UPGRADE_NONE)
		report_daemon(context->report, LEVEL_NOTICE, "spawn", "text", note);
	if (options->arrival->role != UPGRADE_TRY &&
		notify_init(&super->notify, context->loop, super_status, super, error) != 0)
		report_daemon(context->report, LEVEL_WARNING, "notify", "text", error->text);
	error->text[0] = '\0';
	return 0;
}

static void super_given_unused(void *owner, const char *text)
{
	const struct super *super = owner;

	report_daemon(super->context.report, LEVEL_WARNING, "socket", "text", text);
}

/* Opens every listener, with the sockets that superd was given where they fit. Returns how many
   are open. */
static size_t super_open_listeners(struct super *super)
{
	size_t open = 0;

	for (size_t i = 0; i < super->services.count; i++)
		open += service_start(super->services.items[i]);
	return open;
}

/* A draining service needs no listener. */
static bool super_may_be_deaf(const struct super *super)
{
	for (size_t i = 0; i < super->services.count; i++) {
		if (super->services.items[i]->draining)
			return true;
	}
	return false;
}

/* What superd says once it serves, and what it was given and does not need. */
static void super_opened(struct super *super, size_t open)
{
	struct service_context *context = &super->context;
	const struct upgrade_arrival *arrival = super->options->arrival;

	switch (arrival->role) {
	case UPGRADE_TAKE:
		report_upgrade(context->report,
			&(struct report_takeover){
				.pause_ms =
					(clock_now_ns() - arrival->state.left_ns) / CLOCK_NS_PER_MS,
				.services = super->services.count,
				.listeners = open,
				.programs = children_count(context->children)});
		break;
	case UPGRADE_BACK:
		report_problem(context->report, LEVEL_ERROR, "upgrade", arrival->why);
		break;
	default:
		report_start(context->report,
			&(struct report_facts){.services = super->services.count,
				.listeners = open,
				.loop = loop_kind_name(loop_kind(context->loop)),
				.spawn = spawn_kind_name(spawn_kind(context->spawn))});
		break;
	}
	if (super->given_problem != NULL)
		super_given_unused(super, super->given_problem);
	inherit_close_rest(&super->given, super_given_unused, super);
	log_flush();
}

/* The one that was handed over goes on where its name is still the same. */
static int super_take_pidfile(struct super *super, struct error *error)
{
	const struct upgrade_arrival *arrival = super->options->arrival;
	const char *path =
		super->options->pid_file != NULL ? super->options->pid_file : super->conf->pid_file;

	if (path == NULL)
		return 0;
	super->pid_path = strdup(path);
	if (super->pid_path == NULL)
		return error_set(error, ENOMEM, "%s", path);
	if (arrival->role != UPGRADE_NONE && arrival->state.pid_fd >= 0 &&
		strcmp(path, arrival->state.pid_path) == 0)
		super->pid_fd = arrival->state.pid_fd;
	else
		super->pid_fd = pidfile_create(super->pid_path, error);
	return super->pid_fd < 0 ? -1 : 0;
}

int super_open(struct super *super, struct error *error)
{
	bool upgrade = super->options->arrival->role != UPGRADE_NONE;
	size_t open;
	int status = 0;

	if (super_take_pidfile(super, error) != 0)
		return EX_OSERR;
	if (!upgrade)
		status = super_control_open(super, error);
	if (status != 0)
		return status;
	open = super_open_listeners(super);
	if (open == 0 && !super_may_be_deaf(super)) {
		error_set(error, 0, "no listener could be opened%s",
			super->services.count == 0 ? ": every service is disabled" : "");
		return EX_UNAVAILABLE;
	}
	/* A daemon keeps no folder busy; all paths of the configuration are absolute. */
	if (chdir("/") != 0) {
		error_set(error, errno, "chdir /");
		return EX_OSERR;
	}
	if (upgrade)
		status = super_restore_end(super, error);
	if (status == 0)
		super_opened(super, open);
	return status;
}

/* Until no child uses superd's memory any more; false where one still does after a while. */
static bool super_settle(struct super *super)
{
	struct spawn *spawn = super->context.spawn;

	for (int i = 0; spawn != NULL && i < SETTLE_MS && spawn_busy(spawn) > 0; i++) {
		spawn_collect(spawn, loop_now_ns(super->context.loop), super_ignore_stuck, NULL);
		if (spawn_busy(spawn) > 0)
			poll(NULL, 0, 1);
	}
	return spawn == NULL || spawn_busy(spawn) == 0;
}

void super_end(struct super *super)
{
	struct service_context *context = &super->context;

	inherit_close_rest(&super->given, NULL, NULL);
	if (super->notify.loop != NULL)
		notify_end(&super->notify);
	reload_stop(super->reload);
	control_free(super->control);
	if (!super_settle(super)) {
		/* Programs are being started on memory that would be freed: the exit does it. */
		pidfile_remove(super->pid_path, super->pid_fd);
		return;
	}
	service_list_free(&super->services);
	super_orphans_free(super);
	pidfile_remove(super->pid_path, super->pid_fd);
	if (super->reload != NULL)
		reload_free(super->reload); /* with all configurations */
	else
		conf_free(super->conf);
	free(super->pid_path);
	free(super->conf_path);
	children_free(context->children);
	sockdiag_free(context->sockdiag);
	spawn_free(context->spawn);
	report_free(context->report);
	loop_free(context->loop);
	if (context->null_fd >= 0)
		close(context->null_fd);
}
