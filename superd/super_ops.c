/*
 * super_ops: what the verbs of the control socket do.
 *
 * Who only looks is answered; whatever changes something leaves a line in the log that says who.
 */
#include "config.h"
#include "superd/super_private.h"

#include "superd/super_answer.h"
#include "superd/super_explain.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void ops_note(struct super *super, const struct control_request *request)
{
	report_control(super->context.report, control_peer(request), control_word(request, 0),
		control_word(request, 1));
}

static void ops_done(struct control_request *request)
{
	control_answer(request, json_object());
}

static void ops_refuse_name(struct control_request *request, const char *name)
{
	control_refuse(request, "there is no service '%.80s'", name);
}

struct service *super_find_service(
	struct super *super, struct control_request *request, size_t number)
{
	const char *name = control_word(request, number);
	struct service *service = service_list_find(&super->services, name);

	if (service == NULL)
		service = service_list_find_retired(&super->services, name);
	if (service == NULL)
		ops_refuse_name(request, name);
	return service;
}

/* --- looking ------------------------------------------------------------------------------- */

static void ops_status(void *owner, struct control_request *request)
{
	super_answer_status(owner, request);
}

static void ops_connections(void *owner, struct control_request *request)
{
	super_answer_connections(owner, request);
}

static void ops_metrics(void *owner, struct control_request *request)
{
	super_answer_metrics(owner, request);
}

static void ops_explain(void *owner, struct control_request *request)
{
	super_explain(owner, request);
}

/* --- programs and services ----------------------------------------------------------------- */

/* The live child of that id ("5f2c", as the log has it), or NULL. */
static struct child *ops_child(const struct super *super, const char *text)
{
	struct children_cursor cursor = {0};
	unsigned long long id;
	struct child *child;
	char *end;

	id = strtoull(text, &end, 16);
	if (*end != '\0' || strspn(text, "0123456789abcdef") != strlen(text))
		return NULL;
	while ((child = children_next(super->context.children, &cursor)) != NULL) {
		if (child->id == id)
			return child;
	}
	return NULL;
}

static void ops_kill(void *owner, struct control_request *request)
{
	struct super *super = owner;
	struct child *child = ops_child(super, control_word(request, 1));

	if (child == NULL) {
		control_refuse(request, "there is no connection '%.40s'", control_word(request, 1));
		return;
	}
	ops_note(super, request);
	service_end_program(child);
	ops_done(request);
}

/* The service that is to be changed, told in the log; NULL where the request was refused. One that
   is retired has nothing that could be changed. */
static struct service *ops_service(struct super *super, struct control_request *request)
{
	const char *name = control_word(request, 1);
	struct service *service = service_list_find(&super->services, name);

	if (service == NULL) {
		ops_refuse_name(request, name);
		return NULL;
	}
	if (super->stopping) {
		control_refuse(request, "superd stops");
		return NULL;
	}
	ops_note(super, request);
	return service;
}

static void ops_pause(void *owner, struct control_request *request)
{
	struct service *service = ops_service(owner, request);

	if (service == NULL)
		return;
	service_pause(service, true);
	ops_done(request);
}

static void ops_drain(void *owner, struct control_request *request)
{
	struct service *service = ops_service(owner, request);

	if (service == NULL)
		return;
	service_drain(service, true);
	ops_done(request);
}

static void ops_resume(void *owner, struct control_request *request)
{
	struct service *service = ops_service(owner, request);

	if (service == NULL)
		return;
	service_pause(service, false);
	service_drain(service, false);
	ops_done(request);
}

/* --- superd itself ------------------------------------------------------------------------- */

static void ops_reload(void *owner, struct control_request *request)
{
	ops_note(owner, request);
	super_answer_reload(owner, request);
}

static void ops_diff(void *owner, struct control_request *request)
{
	super_answer_diff(owner, request);
}

static void ops_reopen(void *owner, struct control_request *request)
{
	struct super *super = owner;
	struct error error;

	ops_note(super, request);
	if (super_reopen(super, &error) != 0)
		control_refuse(request, "%s", error.text);
	else
		ops_done(request);
}

static void ops_log(void *owner, struct control_request *request)
{
	const char *word = control_word(request, 1);
	struct super *super = owner;
	enum log_level level;
	int forced = super->options->level;

	if (log_level_parse(word, &level) == 0) {
		forced = (int)level;
	} else if (strcmp(word, "default") != 0) {
		control_refuse(request,
			"'%.40s' is not error, warning, notice, info, debug or default", word);
		return;
	}
	ops_note(super, request);
	report_set_level(super->context.report, forced, super->conf->log.level);
	ops_done(request);
}

static void ops_stop(void *owner, struct control_request *request)
{
	struct super *super = owner;

	ops_note(super, request);
	ops_done(request);
	report_daemon(super->context.report, LEVEL_NOTICE, "stop", NULL, NULL);
	super_stop(super);
}

static void ops_upgrade(void *owner, struct control_request *request)
{
	ops_note(owner, request);
	super_answer_upgrade(owner, request);
}

/* --- the socket ---------------------------------------------------------------------------- */

static void ops_denied(void *owner, const struct ucred *peer)
{
	struct super *super = owner;

	report_denied(super->context.report, peer);
}

static const struct control_ops *super_control_ops(void)
{
	static const struct control_verb verbs[] = {
		{"status", 0, 1, CONTROL_LOOK, ops_status},
		{"connections", 0, 1, CONTROL_LOOK, ops_connections},
		{"metrics", 0, 0, CONTROL_LOOK, ops_metrics},
		{"explain", 2, 2, CONTROL_LOOK, ops_explain},
		{"kill", 1, 1, CONTROL_EVERYTHING, ops_kill},
		{"pause", 1, 1, CONTROL_EVERYTHING, ops_pause},
		{"drain", 1, 1, CONTROL_EVERYTHING, ops_drain},
		{"resume", 1, 1, CONTROL_EVERYTHING, ops_resume},
		{"reload", 0, 0, CONTROL_EVERYTHING, ops_reload},
		{"diff", 1, 1, CONTROL_EVERYTHING, ops_diff},
		{"reopen", 0, 0, CONTROL_EVERYTHING, ops_reopen},
		{"log", 1, 1, CONTROL_EVERYTHING, ops_log},
		{"upgrade", 0, 0, CONTROL_EVERYTHING, ops_upgrade},
		{"stop", 0, 0, CONTROL_EVERYTHING, ops_stop},
		{.name = NULL},
	};
	static const struct control_ops ops = {.verbs = verbs, .denied_cb = ops_denied};

	return &ops;
}

struct control_place super_control_place(const struct conf *conf)
{
	return (struct control_place){
		.path = conf->control_socket,
		.make_folder = !conf->control_set,
		.mode = conf->control_mode,
		.control_group = conf->control_group,
		.status_group = conf->status_group,
	};
}

/* Moves to what the configuration says. Returns 0 or the exit status. */
static int control_move(struct super *super, struct error *error)
{
	struct control_place place = super_control_place(super->conf);
	int fd;

	if (control_prepare(super->control, &place, &fd, error) == 0) {
		control_commit(super->control, &place, fd);
		return 0;
	}
	if (super->conf->control_set) {
		char why[sizeof(error->text)];

		memcpy(why, error->text, sizeof(why));
		error_set(error, 0, "control-socket: %.480s", why);
		return EX_OSERR;
	}
	report_daemon(super->context.report, LEVEL_WARNING, "control", "error", error->text);
	error->text[0] = '\0';
	return 0;
}

int super_control_open(struct super *super, struct error *error)
{
	return super_control_restore(super, "", -1, error);
}

int super_control_restore(struct super *super, const char *path, int fd, struct error *error)
{
	struct control_place before = super_control_place(super->conf);

	if (control_new(super->context.loop, super_control_ops(), super, &super->control, error) !=
		0)
		return EX_OSERR;
	before.path = path;
	if (fd >= 0)
		control_commit(super->control, &before, fd);
	return control_move(super, error);
}
