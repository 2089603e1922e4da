/*
 * super_status: what superctl status shows; one JSON object for each service.
 */
#include "config.h"
#include "superd/super_answer.h"

#include "superd/admit.h"
#include "superd/clock.h"

#include <stdlib.h>
#include <unistd.h>

struct status {
	struct super_walk walk;
	const struct service *only; /* NULL: all of them */
	struct control_output *output;
	bool begun;
	bool more; /* a service stands before the next one */
};

int super_walk_services(struct super_walk *walk, struct control_output *output,
	void (*each_cb)(void *each_owner, const struct service *service, bool retired),
	void *each_owner)
{
	const struct super *super = walk->super;
	const struct service_list *list = &super->services;
	const struct service *service;

	if (walk->generation == 0)
		walk->generation = super->generation;
	if (walk->generation != super->generation)
		return -1;
	while (walk->next < list->count) {
		if (control_output_is_full(output))
			return 1;
		each_cb(each_owner, list->items[walk->next++], false);
	}
	for (service = list->retired; service != NULL; service = service->retired_next)
		each_cb(each_owner, service, true);
	return 0;
}

static json_t *status_listeners(const struct service *service)
{
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < service->conf->socket_count; i++) {
		const struct listener *listener = &service->listeners[i];
		json_t *one = json_pack("{s:o, s:s, s:o}", "endpoint",
			control_string(listener->conf->text), "state",
			listener_state_name(listener->state), "error",
			listener->problem == NULL ? json_null()
						  : control_string(listener->problem));

		if (one == NULL || json_array_append_new(list, one) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *status_refused(const struct report_counts *counts)
{
	json_t *refused = json_object();

	for (unsigned i = ADMIT_ACCEPT + 1; refused != NULL && i < ADMIT_VERDICTS; i++)
		json_object_set_new(refused, admit_verdict_name((enum admit_verdict)i),
			json_integer((json_int_t)counts->refused[i]));
	return refused;
}

static json_t *status_service(const struct service *service)
{
	const struct report_counts *counts = report_subject_counts(service->report);
	struct limit_usage usage;

	limit_usage(service->sources, &usage);
	return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:I, s:{s:I, s:I, s:I}, s:I}", "name",
		service->conf->name, "state", service_state_name(service_state(service)),
		"listeners", status_listeners(service), "running", (json_int_t)service->running,
		"instances", (json_int_t)service->conf->limits.instances, "accepted",
		(json_int_t)counts->accepted, "refused", status_refused(counts), "failed",
		(json_int_t)counts->failed, "exited", "ok", (json_int_t)counts->exited_ok,
		"nonzero", (json_int_t)counts->exited_nonzero, "signal",
		(json_int_t)counts->exited_signal, "sources", (json_int_t)usage.sources);
}

static void status_each(void *owner, const struct service *service, bool retired)
{
	struct status *status = owner;

	(void)retired;
	if (status->more)
		control_output_text(status->output, ", ");
	control_output_json(status->output, status_service(service));
	status->more = true;
}

static json_t *status_config(const struct super *super)
{
	char when[CLOCK_TEXT_SIZE];

	clock_format(super->loaded_wall_ns, when);
	return json_pack("{s:o, s:s, s:I}", "file", control_string(super->conf->file), "loaded_at",
		when, "generation", (json_int_t)super->generation);
}

static void status_begin(const struct super *super, struct control_output *output)
{
	int64_t up_ns = loop_now_ns(super->context.loop) - super->started_ns;

	control_output_text(
		output, "{\"ok\": true, \"version\": \"" PACKAGE_VERSION "\", \"pid\": ");
	control_output_uint(output, (uint64_t)getpid());
	control_output_text(output, ", \"uptime_s\": ");
	control_output_uint(output, (uint64_t)(up_ns / CLOCK_NS_PER_S));
	control_output_text(output, ", \"loop\": \"");
	control_output_text(output, loop_kind_name(loop_kind(super->context.loop)));
	control_output_text(output, "\", \"config\": ");
	control_output_json(output, status_config(super));
	control_output_text(output, ", \"services\": [");
}

static int status_next(void *state, struct control_output *output)
{
	struct status *status = state;
	int more = 0;

	status->output = output;
	if (!status->begun)
		status_begin(status->walk.super, output);
	status->begun = true;
	if (status->only != NULL)
		status_each(status, status->only, false);
	else
		more = super_walk_services(&status->walk, output, status_each, status);
	if (more == 0)
		control_output_text(output, "]}");
	return more;
}

void super_answer_status(struct super *super, struct control_request *request)
{
	static const struct control_source source = {.next_cb = status_next, .free_cb = free};
	const struct service *only = NULL;
	struct status *status;

	if (control_word(request, 1) != NULL) {
		only = super_find_service(super, request, 1);
		if (only == NULL)
			return;
	}
	status = calloc(1, sizeof(*status));
	if (status == NULL) {
		control_answer(request, NULL);
		return;
	}
	status->walk.super = super;
	status->only = only; /* told at once: control_stream() makes the first piece */
	control_stream(request, &source, status);
}
