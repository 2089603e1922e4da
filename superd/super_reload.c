/*
 * super_reload: superd's own part of a reload: what of the configuration belongs to no service.
 */
#include "config.h"
#include "superd/super_private.h"

#include "superd/clock.h"
#include "superd/conf_compare.h"
#include "superd/pidfile.h"
#include "superd/sockdiag.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* What is there before a reload is certain. */
struct super_prepared {
	struct log_sink *sink;     /* of superd's own lines; NULL: the same */
	struct sockdiag *sockdiag; /* NULL: none is needed, or there is one */
	bool pid_moves;
	char *pid_path;
	int pid_fd; /* -1: none */
	bool control_moves;
	struct control_place control_place;
	int control_fd;
};

/* --- prepare -------------------------------------------------------------------------------- */

static int prepare_sink(const struct super *super, struct super_prepared *ahead,
	const struct conf *conf, struct error *error)
{
	if (conf_log_equal_target(&super->conf->log, &conf->log))
		return 0;
	return super_open_sink(super, &conf->log, &ahead->sink, error);
}

static int prepare_sockdiag(const struct super *super, struct super_prepared *ahead,
	const struct conf *conf, struct error *error)
{
	if (super->context.sockdiag != NULL || !super_needs_sockdiag(conf))
		return 0;
	return sockdiag_new(&ahead->sockdiag, error);
}

/* The command line's pid file stays, whatever the configuration says. */
static int prepare_pidfile(const struct super *super, struct super_prepared *ahead,
	const struct conf *conf, struct error *error)
{
	const char *path = conf->pid_file;
	bool same = path == super->pid_path ||
		    (path != NULL && super->pid_path != NULL && strcmp(path, super->pid_path) == 0);

	if (super->options->pid_file != NULL || same)
		return 0;
	ahead->pid_moves = true;
	if (path == NULL)
		return 0;
	ahead->pid_path = strdup(path);
	if (ahead->pid_path == NULL)
		return error_set(error, ENOMEM, "%s", path);
	ahead->pid_fd = pidfile_create(path, error);
	return ahead->pid_fd < 0 ? -1 : 0;
}

/* A default that cannot be made is no reason to give up, and was told of before. */
static int prepare_control(const struct super *super, struct super_prepared *ahead,
	const struct conf *conf, struct error *error)
{
	char why[sizeof(error->text)];

	ahead->control_place = super_control_place(conf);
	if (control_prepare(super->control, &ahead->control_place, &ahead->control_fd, error) ==
		0) {
		ahead->control_moves = true;
		return 0;
	}
	if (!conf->control_set) {
		if (super->conf->control_set)
			reload_warn(super->reload, error->text);
		return 0;
	}
	memcpy(why, error->text, sizeof(why));
	return error_set(error, 0, "control-socket: %.480s", why);
}

static void super_reload_abort(void *owner)
{
	struct super *super = owner;
	struct super_prepared *ahead = super->ahead;

	super->ahead = NULL;
	log_sink_close(ahead->sink);
	sockdiag_free(ahead->sockdiag);
	pidfile_remove(ahead->pid_path, ahead->pid_fd);
	free(ahead->pid_path);
	if (ahead->control_moves)
		control_abort(&ahead->control_place, ahead->control_fd);
	free(ahead);
}

static int super_reload_prepare(void *owner, const struct conf *conf, struct error *error)
{
	struct super *super = owner;
	struct super_prepared *ahead = calloc(1, sizeof(*ahead));

	if (ahead == NULL)
		return error_set(error, ENOMEM, "reload");
	ahead->pid_fd = -1;
	super->ahead = ahead;
	if (prepare_sink(super, ahead, conf, error) == 0 &&
		prepare_sockdiag(super, ahead, conf, error) == 0 &&
		prepare_pidfile(super, ahead, conf, error) == 0 &&
		prepare_control(super, ahead, conf, error) == 0)
		return 0;
	super_reload_abort(super);
	return -1;
}

/* --- commit --------------------------------------------------------------------------------- */

static void commit_pidfile(struct super *super, struct super_prepared *ahead)
{
	if (!ahead->pid_moves)
		return;
	pidfile_remove(super->pid_path, super->pid_fd);
	free(super->pid_path);
	super->pid_path = ahead->pid_path;
	super->pid_fd = ahead->pid_fd;
}

static uint64_t super_reload_commit(void *owner, const struct conf *conf)
{
	struct super *super = owner;
	struct super_prepared *ahead = super->ahead;
	struct error error;

	super->ahead = NULL;
	super->conf = conf;
	super->generation++;
	super->loaded_wall_ns = clock_wall_ns();
	report_set_log(super->context.report, ahead->sink, conf->log.level);
	if (super_reopen(super, &error) != 0)
		reload_warn(super->reload, error.text);
	if (ahead->sockdiag != NULL)
		super->context.sockdiag = ahead->sockdiag;
	commit_pidfile(super, ahead);
	if (ahead->control_moves)
		control_commit(super->control, &ahead->control_place, ahead->control_fd);
	free(ahead);
	return super->generation;
}

/* --- requests ------------------------------------------------------------------------------- */

static int super_reload_sink(
	void *owner, const struct conf_log *log, struct log_sink **sink, struct error *error)
{
	return super_open_sink(owner, log, sink, error);
}

static void super_reload_begun(void *owner)
{
	struct super *super = owner;

	notify_reloading(&super->notify);
}

static void super_reload_ended(void *owner)
{
	struct super *super = owner;

	if (!super->stopping)
		notify_ready(&super->notify);
}

/* The configuration's file, wherever superd may be when it is loaded again. */
static char *super_absolute(const char *file)
{
	char folder[PATH_MAX];
	char *path;

	if (file[0] == '/' || getcwd(folder, sizeof(folder)) == NULL)
		return strdup(file);
	return asprintf(&path, "%s/%s", folder, file) < 0 ? NULL : path;
}

int super_reload_init(struct super *super, struct error *error)
{
	struct reload_host host = {
		.context = &super->context,
		.list = &super->services,
		.request = {.single = super->options->single,
			.service_directory = super->options->service_directory,
			.mode = CONF_BUILD},
		.owner = super,
		.sink_cb = super_reload_sink,
		.prepare_cb = super_reload_prepare,
		.commit_cb = super_reload_commit,
		.abort_cb = super_reload_abort,
		.begun_cb = super_reload_begun,
		.ended_cb = super_reload_ended,
	};

	super->conf_path = super->options->single != NULL
				   ? strdup(super->options->conf_file)
				   : super_absolute(super->options->conf_file);
	if (super->conf_path == NULL) {
		error_set(error, ENOMEM, "%s", super->options->conf_file);
		return EX_OSERR;
	}
	host.request.file = super->conf_path;
	return reload_new(&host, super->conf, &super->reload, error) == 0 ? 0 : EX_OSERR;
}

int super_reload(struct super *super, const struct reload_done *done, struct error *error)
{
	return reload_begin(super->reload, done, error);
}

int super_reopen(struct super *super, struct error *error)
{
	(void)super;
	return log_reopen(error);
}

/* --- the control socket --------------------------------------------------------------------- */

/* Lines under a name; NULL where memory is out. */
static json_t *answer_lines(const char *name, const char *const *lines, size_t count)
{
	json_t *array = json_array();
	json_t *fields = json_object();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, control_string(lines[i]));
	if (json_object_set_new(fields, name, array) == 0)
		return fields;
	json_decref(fields);
	return NULL;
}

static void answer_reloaded(void *owner, bool done, const char *const *lines, size_t count)
{
	json_t *fields = answer_lines("messages", lines, count);

	if (done)
		control_answer(owner, fields);
	else
		control_refuse_with(owner, fields, "not reloaded: nothing has changed");
}

static void answer_planned(void *owner, bool done, const char *const *lines, size_t count)
{
	if (done)
		control_answer(owner, answer_lines("plan", lines, count));
	else
		control_refuse_with(
			owner, answer_lines("messages", lines, count), "it would not be loaded");
}

void super_answer_reload(struct super *super, struct control_request *request)
{
	const struct reload_done done = {.done_cb = answer_reloaded, .owner = request};
	struct error error;

	if (super_reload(super, &done, &error) != 0)
		control_refuse(request, "%s", error.text);
}

void super_answer_diff(struct super *super, struct control_request *request)
{
	const struct reload_done done = {.done_cb = answer_planned, .owner = request};
	const char *path = control_word(request, 1);
	struct error error;

	/* what is wrong with a file tells of its content */
	if (control_peer(request)->uid != 0 && control_peer(request)->uid != geteuid() &&
		strcmp(path, super->conf_path) != 0)
		control_refuse(request, "only root may ask about another file than superd's own");
	else if (path[0] != '/')
		control_refuse(request, "'%.400s' is no absolute path", path);
	else if (reload_diff(super->reload, path, &done, &error) != 0)
		control_refuse(request, "%s", error.text);
}
