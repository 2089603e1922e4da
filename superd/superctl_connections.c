/*
 * superctl_connections: running programs, the busiest first.
 */
#include "config.h"
#include "superd/superctl_view.h"

#include "superd/superctl_table.h"
#include "superd/superctl_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const json_t *one;
	double busy; /* processor time: all of it, or with a pair in per cent of the time between */
	double age;
};

static int row_compare(const void *a, const void *b)
{
	const struct row *one = a;
	const struct row *other = b;

	if (one->busy != other->busy)
		return one->busy > other->busy ? -1 : 1;
	if (one->age != other->age)
		return one->age > other->age ? -1 : 1;
	return strcmp(view_string(one->one, "id"), view_string(other->one, "id"));
}

/* The connections of before by their ids. */
static json_t *index_connections(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "connections");
	json_t *index = json_object();

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *one = json_array_get(list, i);

		json_object_set(index, view_string(one, "id"), one);
	}
	return index;
}

static void row_fill(
	struct row *row, const json_t *one, const struct view_pair *pair, const json_t *index)
{
	const json_t *before = json_object_get(index, view_string(one, "id"));

	row->one = one;
	row->age = json_number_value(json_object_get(one, "age"));
	row->busy = json_number_value(json_object_get(one, "cpu"));
	if (pair->before == NULL)
		return;
	row->busy -= json_number_value(json_object_get(before, "cpu"));
	row->busy = pair->elapsed_s > 0 && row->busy > 0 ? 100 * row->busy / pair->elapsed_s : 0;
}

/* A duration, or "-" where it is not known. */
static int add_duration(struct table *table, const json_t *seconds)
{
	char text[TEXT_SIZE];

	if (!json_is_number(seconds))
		return table_add(table, COLOUR_NONE, "-");
	return table_add(table, COLOUR_NONE, "%s", text_duration(json_number_value(seconds), text));
}

static int row_add(struct table *table, const struct row *row, bool rates)
{
	const json_t *rss = json_object_get(row->one, "rss");
	const char *peer = view_string(row->one, "peer");
	char text[TEXT_SIZE];
	int result;

	result = table_add(table, COLOUR_NONE, "%s", view_string(row->one, "id"));
	result |= table_add(table, COLOUR_NONE, "%s", view_string(row->one, "service"));
	result |= table_add(table, COLOUR_NONE, "%s", peer[0] == '\0' ? "-" : peer);
	result |= table_add(table, COLOUR_NONE, "%lld", (long long)view_integer(row->one, "pid"));
	result |= add_duration(table, json_object_get(row->one, "age"));
	result |= add_duration(table, json_object_get(row->one, "idle"));
	if (rates)
		result |= table_add(
			table, row->busy > 50 ? COLOUR_WARN : COLOUR_NONE, "%.0f%%", row->busy);
	else
		result |= add_duration(table, json_object_get(row->one, "cpu"));
	if (json_is_number(rss))
		result |= table_add(
			table, COLOUR_NONE, "%s", text_size(json_number_value(rss), text));
	else
		result |= table_add(table, COLOUR_NONE, "-");
	return result;
}

static int rows_print(const struct view *view, bool rates, const struct row *rows, size_t count)
{
	static const struct table_column columns[] = {
		{"ID", false, 0, 0},
		{"SERVICE", false, 8, 0},
		{"PEER", false, 15, 0},
		{"PID", true, 0, 4},
		{"AGE", true, 0, 1},
		{"IDLE", true, 0, 3},
		{"CPU", true, 0, 2},
		{"RSS", true, 0, 5},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	int result = table == NULL ? -1 : 0;

	for (size_t i = 0; result == 0 && i < count; i++)
		result = row_add(table, &rows[i], rates);
	if (result == 0)
		table_print(table, view->stream, view->width, view->rows, view->coloured);
	table_free(table);
	return result;
}

int view_connections(const struct view *view, const struct view_pair *pair)
{
	const json_t *list = json_object_get(pair->now, "connections");
	json_t *index = index_connections(pair->before);
	size_t count = json_array_size(list);
	struct row *rows = calloc(count + 1, sizeof(*rows));
	int result = -1;

	if (rows != NULL) {
		for (size_t i = 0; i < count; i++)
			row_fill(&rows[i], json_array_get(list, i), pair, index);
		qsort(rows, count, sizeof(*rows), row_compare);
		result = rows_print(view, pair->before != NULL, rows, count);
	}
	free(rows);
	json_decref(index);
	return result;
}
