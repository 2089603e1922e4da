/*
 * super_metrics: the counts as OpenMetrics text, family after family; within a family the services
 * one after the other. The text stands in a JSON string, as all answers are JSON.
 */
#include "config.h"
#include "superd/super_answer.h"

#include "superd/admit.h"
#include "superd/clock.h"
#include "superd/super_process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metrics {
	struct super_walk walk;
	struct control_output *output;
	size_t family; /* the one that is being told; 0 with `begun` false: none yet */
	bool begun;
	bool headed; /* its # lines are told */
};

struct metrics_family {
	const char *name;
	const char *type;
	const char *unit; /* NULL: none */
	const char *help;
	/* Tells one service's samples, or (NULL) the family is about superd as a whole. */
	void (*service_cb)(struct metrics *metrics, const struct service *service);
	void (*whole_cb)(struct metrics *metrics);
};

/* --- samples ------------------------------------------------------------------------------- */

static const struct metrics_family *metrics_family(const struct metrics *metrics);

/* A label's value: '\', '"' and newlines are escaped. */
static void metrics_value(struct metrics *metrics, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			control_output_text(metrics->output, "\\n");
		else if (*text == '\\' || *text == '"')
			control_output_bytes(
				metrics->output, (const char[]){'\\', *text}, (size_t)2);
		else
			control_output_bytes(metrics->output, text, 1);
	}
}

/* NAME SUFFIX{service="...",LABEL="value"}, and a blank; label NULL: none. */
static void metrics_name(struct metrics *metrics, const char *suffix, const struct service *service,
	const char *label, const char *value)
{
	struct control_output *output = metrics->output;

	control_output_text(output, metrics_family(metrics)->name);
	control_output_text(output, suffix);
	if (service != NULL) {
		control_output_text(output, "{service=\"");
		metrics_value(metrics, service->conf->name);
		control_output_text(output, "\"");
	}
	if (label != NULL) {
		control_output_text(output, service != NULL ? "," : "{");
		control_output_text(output, label);
		control_output_text(output, "=\"");
		metrics_value(metrics, value);
		control_output_text(output, "\"");
	}
	control_output_text(output, service != NULL || label != NULL ? "} " : " ");
}

static void metrics_number(struct metrics *metrics, uint64_t number)
{
	control_output_uint(metrics->output, number);
	control_output_text(metrics->output, "\n");
}

/* Nanoseconds as seconds. */
static void metrics_seconds(struct metrics *metrics, uint64_t ns)
{
	char text[48];

	snprintf(text, sizeof(text), "%llu.%09llu\n",
		(unsigned long long)(ns / (uint64_t)CLOCK_NS_PER_S),
		(unsigned long long)(ns % (uint64_t)CLOCK_NS_PER_S));
	control_output_text(metrics->output, text);
}

/* --- services ------------------------------------------------------------------------------ */

static void metrics_accepted(struct metrics *metrics, const struct service *service)
{
	metrics_name(metrics, "_total", service, NULL, NULL);
	metrics_number(metrics, report_subject_counts(service->report)->accepted);
}

static void metrics_refused(struct metrics *metrics, const struct service *service)
{
	const struct report_counts *counts = report_subject_counts(service->report);

	for (unsigned i = ADMIT_ACCEPT + 1; i < ADMIT_VERDICTS; i++) {
		metrics_name(metrics, "_total", service, "reason",
			admit_verdict_name((enum admit_verdict)i));
		metrics_number(metrics, counts->refused[i]);
	}
}

static void metrics_failed(struct metrics *metrics, const struct service *service)
{
	metrics_name(metrics, "_total", service, NULL, NULL);
	metrics_number(metrics, report_subject_counts(service->report)->failed);
}

static void metrics_active(struct metrics *metrics, const struct service *service)
{
	metrics_name(metrics, "", service, NULL, NULL);
	metrics_number(metrics, service->running);
}

static void metrics_limit(struct metrics *metrics, const struct service *service)
{
	metrics_name(metrics, "", service, NULL, NULL);
	metrics_number(metrics, service->conf->limits.instances);
}

static void metrics_exited(struct metrics *metrics, const struct service *service)
{
	const struct report_counts *counts = report_subject_counts(service->report);

	metrics_name(metrics, "_total", service, "result", "ok");
	metrics_number(metrics, counts->exited_ok);
	metrics_name(metrics, "_total", service, "result", "nonzero");
	metrics_number(metrics, counts->exited_nonzero);
	metrics_name(metrics, "_total", service, "result", "signal");
	metrics_number(metrics, counts->exited_signal);
}

static void metrics_histogram(struct metrics *metrics, const struct service *service,
	const struct histogram *histogram, const struct histogram_bounds *bounds)
{
	uint64_t below = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += histogram->buckets[i];
		metrics_name(metrics, "_bucket", service, "le", bounds->text[i]);
		metrics_number(metrics, below);
	}
	metrics_name(metrics, "_bucket", service, "le", "+Inf");
	metrics_number(metrics, histogram->count);
	metrics_name(metrics, "_count", service, NULL, NULL);
	metrics_number(metrics, histogram->count);
	metrics_name(metrics, "_sum", service, NULL, NULL);
	metrics_seconds(metrics, histogram->sum_ns);
}

static void metrics_start(struct metrics *metrics, const struct service *service)
{
	metrics_histogram(metrics, service, &report_subject_counts(service->report)->start,
		histogram_bounds_start());
}

static void metrics_life(struct metrics *metrics, const struct service *service)
{
	metrics_histogram(metrics, service, &report_subject_counts(service->report)->life,
		histogram_bounds_life());
}

static void metrics_listening(struct metrics *metrics, const struct service *service)
{
	metrics_name(metrics, "", service, NULL, NULL);
	metrics_number(metrics,
		service_state(service) == SERVICE_LISTENING && service_open_count(service) > 0);
}

static void metrics_listener_up(struct metrics *metrics, const struct service *service)
{
	for (size_t i = 0; i < service->conf->socket_count; i++) {
		const struct listener *listener = &service->listeners[i];

		/* a family that the machine lacks, or that the other half's socket takes as well */
		if (listener->state == LISTENER_ABSENT || listener->state == LISTENER_COVERED)
			continue;
		metrics_name(metrics, "", service, "endpoint", listener->conf->text);
		metrics_number(metrics, listener->state == LISTENER_OPEN);
	}
}

/* --- superd as a whole --------------------------------------------------------------------- */

static void metrics_build(struct metrics *metrics)
{
	metrics_name(metrics, "_info", NULL, "version", PACKAGE_VERSION);
	metrics_number(metrics, 1);
}

static void metrics_generation(struct metrics *metrics)
{
	metrics_name(metrics, "", NULL, NULL, NULL);
	metrics_number(metrics, metrics->walk.super->generation);
}

static void metrics_loaded(struct metrics *metrics)
{
	metrics_name(metrics, "", NULL, NULL, NULL);
	metrics_seconds(metrics, (uint64_t)metrics->walk.super->loaded_wall_ns);
}

static void metrics_dropped(struct metrics *metrics)
{
	metrics_name(metrics, "_total", NULL, NULL, NULL);
	metrics_number(metrics, log_dropped());
}

static void metrics_cpu(struct metrics *metrics)
{
	metrics_name(metrics, "_total", NULL, NULL, NULL);
	metrics_seconds(metrics, super_process_cpu_ns());
}

static void metrics_started(struct metrics *metrics)
{
	const struct super *super = metrics->walk.super;
	int64_t up_ns = clock_now_ns() - super->started_ns;

	metrics_name(metrics, "", NULL, NULL, NULL);
	metrics_seconds(metrics, (uint64_t)(clock_wall_ns() - up_ns));
}

static void metrics_resident(struct metrics *metrics)
{
	metrics_name(metrics, "", NULL, NULL, NULL);
	metrics_number(metrics, super_process_memory().resident_bytes);
}

static void metrics_virtual(struct metrics *metrics)
{
	metrics_name(metrics, "", NULL, NULL, NULL);
	metrics_number(metrics, super_process_memory().virtual_bytes);
}

static void metrics_open_fds(struct metrics *metrics)
{
	metrics_name(metrics, "", NULL, NULL, NULL);
	metrics_number(metrics, super_process_open_files());
}

static void metrics_max_fds(struct metrics *metrics)
{
	metrics_name(metrics, "", NULL, NULL, NULL);
	metrics_number(metrics, super_process_max_files());
}

/* --- families ------------------------------------------------------------------------------ */

static const struct metrics_family *metrics_families(size_t *count)
{
	static const struct metrics_family families[] = {
		{"superd_connections_accepted", "counter", NULL,
			"Connections and wait programs that were given a program.",
			metrics_accepted, NULL},
		{"superd_connections_refused", "counter", NULL,
			"Connections that were accepted and closed, by reason.", metrics_refused,
			NULL},
		{"superd_connections_active", "gauge", NULL, "Programs that run now.",
			metrics_active, NULL},
		{"superd_instances_limit", "gauge", NULL, "Programs that may run at once.",
			metrics_limit, NULL},
		{"superd_failures", "counter", NULL,
			"Steps that failed towards a running program or an open listener.",
			metrics_failed, NULL},
		{"superd_programs_exited", "counter", NULL, "Programs that have ended.",
			metrics_exited, NULL},
		{"superd_spawn_seconds", "histogram", "seconds",
			"From accept to the exec of the program.", metrics_start, NULL},
		{"superd_connection_seconds", "histogram", "seconds",
			"Life of programs that have ended.", metrics_life, NULL},
		{"superd_service_listening", "gauge", NULL,
			"1 where the service takes connections now.", metrics_listening, NULL},
		{"superd_listener_up", "gauge", NULL, "1 where the endpoint is open.",
			metrics_listener_up, NULL},
		{"superd_build", "info", NULL, "The running superd.", NULL, metrics_build},
		{"superd_config_generation", "gauge", NULL,
			"Which configuration is in force; 1 is that of the start.", NULL,
			metrics_generation},
		{"superd_config_loaded_timestamp_seconds", "gauge", "seconds",
			"When it was loaded.", NULL, metrics_loaded},
		{"superd_log_dropped", "counter", NULL, "Lines that no log took.", NULL,
			metrics_dropped},
		{"process_cpu_seconds", "counter", "seconds", "Processor time of superd itself.",
			NULL, metrics_cpu},
		{"process_start_time_seconds", "gauge", "seconds", "When superd was started.", NULL,
			metrics_started},
		{"process_resident_memory_bytes", "gauge", "bytes", "Resident memory of superd.",
			NULL, metrics_resident},
		{"process_virtual_memory_bytes", "gauge", "bytes", "Address space of superd.", NULL,
			metrics_virtual},
		{"process_open_fds", "gauge", NULL, "Descriptors of superd.", NULL,
			metrics_open_fds},
		{"process_max_fds", "gauge", NULL, "Descriptors superd may have.", NULL,
			metrics_max_fds},
	};

	*count = sizeof(families) / sizeof(families[0]);
	return families;
}

static const struct metrics_family *metrics_family(const struct metrics *metrics)
{
	size_t count;

	return &metrics_families(&count)[metrics->family];
}

static void metrics_head(struct metrics *metrics, const struct metrics_family *family)
{
	struct control_output *output = metrics->output;

	control_output_text(output, "# TYPE ");
	control_output_text(output, family->name);
	control_output_text(output, " ");
	control_output_text(output, family->type);
	if (family->unit != NULL) {
		control_output_text(output, "\n# UNIT ");
		control_output_text(output, family->name);
		control_output_text(output, " ");
		control_output_text(output, family->unit);
	}
	control_output_text(output, "\n# HELP ");
	control_output_text(output, family->name);
	control_output_text(output, " ");
	control_output_text(output, family->help);
	control_output_text(output, "\n");
}

/* Two of one name, which an older superd may have handed over, would be told twice. */
static bool metrics_is_told(const struct super *super, const struct service *retired)
{
	const struct service *other = super->services.retired;

	if (service_list_find(&super->services, retired->conf->name) != NULL)
		return true;
	while (other != retired && strcmp(other->conf->name, retired->conf->name) != 0)
		other = other->retired_next;
	return other != retired;
}

static void metrics_each(void *owner, const struct service *service, bool retired)
{
	struct metrics *metrics = owner;

	if (!retired || !metrics_is_told(metrics->walk.super, service))
		metrics_family(metrics)->service_cb(metrics, service);
}

/* The next piece of the family. Returns as super_walk_services(). */
static int metrics_piece(struct metrics *metrics)
{
	const struct metrics_family *family = metrics_family(metrics);
	int more = 0;

	if (!metrics->headed)
		metrics_head(metrics, family);
	metrics->headed = true;
	if (family->whole_cb != NULL)
		family->whole_cb(metrics);
	else
		more = super_walk_services(&metrics->walk, metrics->output, metrics_each, metrics);
	if (more == 0) {
		metrics->family++;
		metrics->walk.next = 0;
		metrics->headed = false;
	}
	return more;
}

static int metrics_next(void *state, struct control_output *output)
{
	struct metrics *metrics = state;
	size_t count;

	metrics_families(&count);
	metrics->output = output;
	if (!metrics->begun)
		control_output_text(output, "{\"ok\": true, \"metrics\": \"");
	metrics->begun = true;
	control_output_quote(output, true);
	while (metrics->family < count && !control_output_is_full(output)) {
		if (metrics_piece(metrics) < 0)
			return -1;
	}
	if (metrics->family == count)
		control_output_text(output, "# EOF\n");
	control_output_quote(output, false);
	if (metrics->family < count)
		return 1;
	control_output_text(output, "\"}");
	return 0;
}

void super_answer_metrics(struct super *super, struct control_request *request)
{
	static const struct control_source source = {.next_cb = metrics_next, .free_cb = free};
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (metrics == NULL) {
		control_answer(request, NULL);
		return;
	}
	metrics->walk.super = super;
	control_stream(request, &source, metrics);
}
