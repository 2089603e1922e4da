/*
 * superctl_status: services, those with problems first.
 */
#include "config.h"
#include "superd/superctl_view.h"

#include "superd/clock.h"
#include "superd/superctl_table.h"
#include "superd/superctl_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How urgent a service is; the order of the table. */
enum rank { RANK_BROKEN, RANK_HELD, RANK_TROUBLED, RANK_WELL };

/* One service as the table needs it. */
struct row {
	const json_t *service;
	const json_t *before; /* the same in the answer before; NULL: there is none */
	const char *state;
	enum rank rank;
	json_int_t running, accepted, refused, failed, abnormal;
	size_t open, sockets;
	const json_t *broken; /* the first listener that is not open and should be; NULL: none */
};

const char *view_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

json_int_t view_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* --- one service --------------------------------------------------------------------------- */

static json_int_t refused_sum(const json_t *service)
{
	json_t *refused = json_object_get(service, "refused");
	void *at = json_object_iter(refused);
	json_int_t sum = 0;

	for (; at != NULL; at = json_object_iter_next(refused, at))
		sum += json_integer_value(json_object_iter_value(at));
	return sum;
}

static void row_listeners(struct row *row)
{
	const json_t *listeners = json_object_get(row->service, "listeners");

	for (size_t i = 0; i < json_array_size(listeners); i++) {
		const json_t *listener = json_array_get(listeners, i);
		const char *state = view_string(listener, "state");

		if (strcmp(state, "absent") == 0 || strcmp(state, "covered") == 0)
			continue; /* nothing is to be opened there */
		row->sockets++;
		if (strcmp(state, "open") == 0)
			row->open++;
		else if (row->broken == NULL)
			row->broken = listener;
	}
}

static enum rank row_rank(const struct row *row)
{
	static const char *const held[] = {"full", "paused", "draining", "stopped"};

	if (strcmp(row->state, "throttled") == 0 || strcmp(row->state, "starved") == 0)
		return RANK_BROKEN;
	for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
		if (strcmp(row->state, held[i]) == 0)
			return RANK_HELD;
	}
	if (row->broken != NULL)
		return RANK_BROKEN;
	return row->failed > 0 || row->refused > 0 || row->abnormal > 0 ? RANK_TROUBLED : RANK_WELL;
}

static void row_fill(struct row *row, const json_t *service)
{
	const json_t *exited = json_object_get(service, "exited");

	*row = (struct row){.service = service};
	row->state = view_string(service, "state");
	row->running = view_integer(service, "running");
	row->accepted = view_integer(service, "accepted");
	row->refused = refused_sum(service);
	row->failed = view_integer(service, "failed");
	row->abnormal = view_integer(exited, "nonzero") + view_integer(exited, "signal");
	row_listeners(row);
	row->rank = row_rank(row);
}

static int compare_integers(json_int_t a, json_int_t b)
{
	return a > b ? -1 : a < b;
}

static int row_compare(const void *a, const void *b)
{
	const struct row *one = a;
	const struct row *other = b;
	int order = (int)one->rank - (int)other->rank;

	if (order == 0)
		order = compare_integers(one->running, other->running);
	if (order == 0)
		order = compare_integers(one->accepted, other->accepted);
	if (order == 0)
		order = strcmp(
			view_string(one->service, "name"), view_string(other->service, "name"));
	return order;
}

/* "rate 20, acl 3": the reasons that have happened. */
static void refused_print(FILE *stream, const json_t *service)
{
	json_t *refused = json_object_get(service, "refused");
	void *at = json_object_iter(refused);
	const char *separator = "";

	for (; at != NULL; at = json_object_iter_next(refused, at)) {
		json_int_t count = json_integer_value(json_object_iter_value(at));

		if (count == 0)
			continue;
		fprintf(stream, "%s%s %lld", separator, json_object_iter_key(at), (long long)count);
		separator = ", ";
	}
}

/* Why nobody is accepted in this state; NULL: it is nothing to explain. */
static const char *state_note(const char *state)
{
	static const struct {
		const char *state;
		const char *note;
	} notes[] = {
		{"throttled", "its program keeps failing; the log says how"},
		{"starved", "waits for descriptors, processes or memory"},
		{"full", "as many programs as its instances allow"},
		{"paused", "by superctl pause"},
		{"draining", "what runs may finish"},
	};

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		if (strcmp(notes[i].state, state) == 0)
			return notes[i].note;
	}
	return NULL;
}

/* What there is to say about it; the caller's to free, NULL where memory is out. */
static char *row_note(const struct row *row)
{
	const char *why = state_note(row->state);
	size_t length;
	char *text = NULL;
	FILE *stream = open_memstream(&text, &length);

	if (stream == NULL)
		return NULL;
	if (row->broken != NULL && row->rank == RANK_BROKEN) {
		fprintf(stream, "%s: %s", view_string(row->broken, "endpoint"),
			view_string(row->broken, "error"));
	} else if (why != NULL) {
		fputs(why, stream);
	} else if (row->refused > 0) {
		fputs("refused: ", stream);
		refused_print(stream, row->service);
	}
	return fclose(stream) == 0 ? text : NULL;
}

static enum table_colour rank_colour(enum rank rank)
{
	static const enum table_colour colours[] = {
		COLOUR_BAD, COLOUR_WARN, COLOUR_GOOD, COLOUR_GOOD};

	return colours[rank];
}

/* --- the table ----------------------------------------------------------------------------- */

/* How much a count of the row has grown in a second. */
static double row_rate(const struct row *row, json_int_t now, json_int_t before, double elapsed_s)
{
	return row->before == NULL || elapsed_s <= 0 || now < before
		       ? 0
		       : (double)(now - before) / elapsed_s;
}

static int row_add_rates(struct table *table, const struct row *row, double elapsed_s)
{
	json_int_t accepted = view_integer(row->before, "accepted");
	json_int_t refused = refused_sum(row->before);
	json_int_t failed = view_integer(row->before, "failed");
	double refusing = row_rate(row, row->refused, refused, elapsed_s);
	double failing = row_rate(row, row->failed, failed, elapsed_s);
	char text[TEXT_SIZE];
	int result;

	result = table_add(table, COLOUR_NONE, "%s",
		text_rate(row_rate(row, row->accepted, accepted, elapsed_s), text));
	result |= table_add(
		table, refusing > 0 ? COLOUR_WARN : COLOUR_NONE, "%s", text_rate(refusing, text));
	result |= table_add(
		table, failing > 0 ? COLOUR_BAD : COLOUR_NONE, "%s", text_rate(failing, text));
	return result;
}

static int row_add_counts(struct table *table, const struct row *row)
{
	int result;

	result = table_add(table, COLOUR_NONE, "%lld", (long long)row->accepted);
	result |= table_add(table, row->refused > 0 ? COLOUR_WARN : COLOUR_NONE, "%lld",
		(long long)row->refused);
	result |= table_add(
		table, row->failed > 0 ? COLOUR_BAD : COLOUR_NONE, "%lld", (long long)row->failed);
	return result;
}

static int row_add(struct table *table, const struct row *row, const struct view_pair *pair)
{
	char *note = row_note(row);
	int result;

	if (note == NULL)
		return -1;
	result = table_add(table, COLOUR_NONE, "%s", view_string(row->service, "name"));
	result |= table_add(table, rank_colour(row->rank), "%s", row->state);
	result |= table_add(table, row->open < row->sockets ? COLOUR_BAD : COLOUR_NONE, "%zu/%zu",
		row->open, row->sockets);
	result |= table_add(table, COLOUR_NONE, "%lld/%lld", (long long)row->running,
		(long long)view_integer(row->service, "instances"));
	result |= pair->before != NULL ? row_add_rates(table, row, pair->elapsed_s)
				       : row_add_counts(table, row);
	result |= table_add(table, COLOUR_NONE, "%lld", (long long)row->abnormal);
	result |= table_add(
		table, COLOUR_NONE, "%lld", (long long)view_integer(row->service, "sources"));
	result |= table_add(table, row->rank == RANK_BROKEN ? COLOUR_BAD : COLOUR_NONE, "%s", note);
	free(note);
	return result;
}

/* The services of before by their names. */
static json_t *index_services(const json_t *answer)
{
	const json_t *services = json_object_get(answer, "services");
	json_t *index = json_object();

	for (size_t i = 0; i < json_array_size(services); i++) {
		json_t *service = json_array_get(services, i);

		json_object_set(index, view_string(service, "name"), service);
	}
	return index;
}

/* The rows in the order of the table, the caller's to free. */
static struct row *rows_make(const struct view_pair *pair, json_t *index, size_t *count)
{
	const json_t *services = json_object_get(pair->now, "services");
	struct row *rows;

	*count = json_array_size(services);
	rows = calloc(*count + 1, sizeof(*rows));
	if (rows == NULL)
		return NULL;
	for (size_t i = 0; i < *count; i++) {
		row_fill(&rows[i], json_array_get(services, i));
		rows[i].before = json_object_get(index, view_string(rows[i].service, "name"));
	}
	qsort(rows, *count, sizeof(*rows), row_compare);
	return rows;
}

static int rows_print(
	const struct view *view, const struct view_pair *pair, const struct row *rows, size_t count)
{
	static const struct table_column counts[] = {
		{"SERVICE", false, 8, 0},
		{"STATE", false, 0, 0},
		{"LISTEN", true, 0, 5},
		{"RUNNING", true, 0, 1},
		{"ACCEPTED", true, 0, 6},
		{"REFUSED", true, 0, 2},
		{"FAILED", true, 0, 3},
		{"ABNORMAL", true, 0, 7},
		{"SOURCES", true, 0, 8},
		{"NOTE", false, 16, 4},
	};
	static const struct table_column rates[] = {
		{"SERVICE", false, 8, 0},
		{"STATE", false, 0, 0},
		{"LISTEN", true, 0, 5},
		{"RUNNING", true, 0, 1},
		{"ACCEPT/S", true, 0, 6},
		{"REFUSE/S", true, 0, 2},
		{"FAIL/S", true, 0, 3},
		{"ABNORMAL", true, 0, 7},
		{"SOURCES", true, 0, 8},
		{"NOTE", false, 16, 4},
	};
	struct table *table = table_new(
		pair->before != NULL ? rates : counts, sizeof(counts) / sizeof(counts[0]));
	int result = table == NULL ? -1 : 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = row_add(table, &rows[i], pair);
	if (result == 0)
		table_print(table, view->stream, view->width, view->rows, view->coloured);
	table_free(table);
	return result;
}

/* --- superd -------------------------------------------------------------------------------- */

/* How long ago an RFC 3339 time in UTC was; below 0: not known. */
static double seconds_since(const char *when)
{
	int64_t now_ns = clock_wall_ns();
	struct tm tm = {0};
	const char *rest = strptime(when, "%Y-%m-%dT%H:%M:%S", &tm);
	double part;

	if (rest == NULL)
		return -1;
	part = (double)(now_ns % CLOCK_NS_PER_S) / 1e9 - (*rest == '.' ? strtod(rest, NULL) : 0);
	return difftime(now_ns / CLOCK_NS_PER_S, timegm(&tm)) + part;
}

static void head_print(const struct view *view, const json_t *answer)
{
	const json_t *config = json_object_get(answer, "config");
	const char *loaded = view_string(config, "loaded_at");
	double ago_s = seconds_since(loaded);
	char text[TEXT_SIZE];

	fprintf(view->stream, "superd %s, pid %lld, up %s, loop %s\n",
		view_string(answer, "version"), (long long)view_integer(answer, "pid"),
		text_seconds((double)view_integer(answer, "uptime_s"), text),
		view_string(answer, "loop"));
	table_print_text(view->stream, view_string(config, "file"));
	fprintf(view->stream, " (generation %lld) loaded %s",
		(long long)view_integer(config, "generation"), loaded);
	if (ago_s >= 0)
		fprintf(view->stream, ", %s ago", text_seconds(ago_s, text));
	fputc('\n', view->stream);
}

/* "12 services, 1 of them not well; 34 programs". */
static void sum_print(const struct view *view, const struct row *rows, size_t count)
{
	json_int_t running = 0;
	size_t ill = 0;

	for (size_t i = 0; i < count; i++) {
		running += rows[i].running;
		ill += rows[i].rank <= RANK_HELD;
	}
	fprintf(view->stream, "%zu service%s, ", count, count == 1 ? "" : "s");
	if (ill > 0)
		fprintf(view->stream, "%s%zu not taking connections as configured%s, ",
			table_escape(COLOUR_WARN, view->coloured), ill,
			table_escape(COLOUR_NONE, view->coloured));
	fprintf(view->stream, "%lld program%s running\n\n", (long long)running,
		running == 1 ? "" : "s");
}

int view_status(const struct view *view, const struct view_pair *pair)
{
	json_t *index = index_services(pair->before);
	int result = -1;
	struct row *rows;
	size_t count;

	rows = rows_make(pair, index, &count);
	if (rows != NULL) {
		head_print(view, pair->now);
		sum_print(view, rows, count);
		result = rows_print(view, pair, rows, count);
	}
	free(rows);
	json_decref(index);
	return result;
}

static void listener_print(const struct view *view, const json_t *listener)
{
	const char *state = view_string(listener, "state");
	enum table_colour colour = strcmp(state, "closed") == 0 || strcmp(state, "retrying") == 0
					   ? COLOUR_BAD
					   : COLOUR_GOOD;

	fputs("  ", view->stream);
	table_print_text(view->stream, view_string(listener, "endpoint"));
	fprintf(view->stream, ": %s%s%s", table_escape(colour, view->coloured), state,
		table_escape(COLOUR_NONE, view->coloured));
	if (view_string(listener, "error")[0] != '\0') {
		fputs(", ", view->stream);
		table_print_text(view->stream, view_string(listener, "error"));
	}
	fputc('\n', view->stream);
}

void view_service(const struct view *view, const json_t *answer)
{
	const json_t *service = json_array_get(json_object_get(answer, "services"), 0);
	const json_t *exited = json_object_get(service, "exited");
	const json_t *listeners = json_object_get(service, "listeners");
	FILE *stream = view->stream;
	struct row row;

	row_fill(&row, service);
	fprintf(stream, "%s: %s%s%s, running %lld of %lld, sources %lld\n",
		view_string(service, "name"), table_escape(rank_colour(row.rank), view->coloured),
		row.state, table_escape(COLOUR_NONE, view->coloured), (long long)row.running,
		(long long)view_integer(service, "instances"),
		(long long)view_integer(service, "sources"));
	fprintf(stream, "  accepted %lld, failed %lld, ended: ok %lld, nonzero %lld, signal %lld\n",
		(long long)row.accepted, (long long)row.failed,
		(long long)view_integer(exited, "ok"), (long long)view_integer(exited, "nonzero"),
		(long long)view_integer(exited, "signal"));
	fputs("  refused: ", stream);
	if (row.refused == 0)
		fputs("none", stream);
	refused_print(stream, service);
	fputc('\n', stream);
	for (size_t i = 0; i < json_array_size(listeners); i++)
		listener_print(view, json_array_get(listeners, i));
}
