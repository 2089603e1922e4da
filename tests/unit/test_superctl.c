/*
 * test_superctl: answers as people read them: figures, tables, services with problems first.
 */
#include "config.h"
#include "superd/clock.h"
#include "superd/superctl_table.h"
#include "superd/superctl_text.h"
#include "superd/superctl_view.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_figures(void **state)
{
	static const struct {
		double value;
		const char *duration, *seconds, *size, *rate;
	} cases[] = {
		{-1, "0.0s", "0s", "-1B", "-1"},
		{0, "0.0s", "0s", "0B", "0"},
		{0.25, "0.2s", "0s", "0B", "0.2"},
		{9.9, "9.9s", "9s", "10B", "9.9"},
		{9.96, "10.0s", "9s", "10B", "10"},
		{59, "59s", "59s", "59B", "59"},
		{61, "1m01s", "1m01s", "61B", "61"},
		{3600, "1h00m", "1h00m", "3.5K", "3600"},
		{90061, "1d01h", "1d01h", "88K", "90061"},
		{1678336, "19d10h", "19d10h", "1.6M", "1678336"},
		{1e15, "11574074074d01h", "11574074074d01h", "909T", "1000000000000000"},
	};
	char text[TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(text_duration(cases[i].value, text), cases[i].duration);
		assert_string_equal(text_seconds(cases[i].value, text), cases[i].seconds);
		assert_string_equal(text_size(cases[i].value, text), cases[i].size);
		assert_string_equal(text_rate(cases[i].value, text), cases[i].rate);
	}
}

/* What the table prints at that width; to be freed. */
static char *print(const struct table *table, size_t width, size_t rows, bool coloured)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	assert_non_null(stream);
	table_print(table, stream, width, rows, coloured);
	fclose(stream);
	return text;
}

static void test_table(void **state)
{
	static const struct table_column columns[] = {
		{"NAME", false, 4, 0},
		{"N", true, 0, 2},
		{"NOTE", false, 5, 1},
	};
	static const struct {
		size_t width, rows;
		const char *text;
	} cases[] = {
		{0, 9,
			"NAME    N  NOTE\necho    3\ngr\xc3\xbc\xc3\x9f"
			"e  17  all is?well here\n"},
		{80, 1, "NAME    N  NOTE\necho    3\n"},
		{80, 0, "NAME    N  NOTE\n"},
		{20, 9,
			"NAME    N  NOTE\necho    3\ngr\xc3\xbc\xc3\x9f"
			"e  17  all is?w~\n"},
		{16, 9,
			"NAME    N  NOTE\necho    3\ngr\xc3\xbc\xc3\x9f"
			"e  17  all ~\n"},
		{12, 9,
			"NAME   NOTE\necho\ngr\xc3\xbc\xc3\x9f"
			"e  all ~\n"},
		{11, 9, "NAME  NOTE\necho\ngr\xc3\xbc~  all ~\n"},
		{7, 9,
			"NAME\necho\ngr\xc3\xbc\xc3\x9f"
			"e\n"},
		{4, 9, "NAME\necho\ngr\xc3\xbc~\n"},
	};
	struct table *table = table_new(columns, 3);

	(void)state;
	table_add(table, COLOUR_NONE, "echo");
	table_add(table, COLOUR_NONE, "%d", 3);
	table_add(table, COLOUR_NONE, "%s", "");
	table_add(table, COLOUR_BAD,
		"gr\xc3\xbc\xc3\x9f"
		"e");
	table_add(table, COLOUR_NONE, "%d", 17);
	table_add(table, COLOUR_NONE, "all is\nwell here");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = print(table, cases[i].width, cases[i].rows, false);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
	table_free(table);
}

/* Colours take no room, and stand around the text alone. */
static void test_colours(void **state)
{
	static const struct table_column columns[] = {{"A", true, 0, 0}, {"B", false, 0, 0}};
	struct table *table = table_new(columns, 2);
	char *text;

	(void)state;
	table_add(table, COLOUR_BAD, "x");
	table_add(table, COLOUR_GOOD, "y");
	text = print(table, 4, 9, true);
	assert_string_equal(text, "\033[1mA\033[0m  \033[1mB\033[0m\n"
				  "\033[31mx\033[0m  \033[32my\033[0m\n");
	free(text);
	table_free(table);
}

static json_t *load(const char *text)
{
	json_t *answer = json_loads(text, 0, NULL);

	assert_non_null(answer);
	return answer;
}

static char *view_text(int (*view_cb)(const struct view *view, const struct view_pair *pair),
	const struct view_pair *pair, size_t width)
{
	char *text = NULL;
	size_t length;
	struct view view = {.width = width, .rows = SIZE_MAX};

	view.stream = open_memstream(&text, &length);
	assert_non_null(view.stream);
	assert_int_equal(view_cb(&view, pair), 0);
	fclose(view.stream);
	return text;
}

/* Where a service's row stands; its line number. */
static size_t line_of(const char *text, const char *begin)
{
	size_t number = 0;

	for (; text != NULL; text = strchr(text, '\n'), text += text != NULL, number++) {
		if (strncmp(text, begin, strlen(begin)) == 0)
			return number;
	}
	fail_msg("no line begins with %s", begin);
	return 0;
}

/* No line from the one that begins with titles on is wider than the view. */
static void assert_fits(int (*view_cb)(const struct view *view, const struct view_pair *pair),
	const struct view_pair *pair, const char *titles)
{
	static const size_t widths[] = {30, 40, 60, 80, 100};

	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		char *text = view_text(view_cb, pair, widths[i]);
		size_t skip = line_of(text, titles);
		char *rest = text;

		for (char *line; (line = strsep(&rest, "\n")) != NULL; skip -= skip > 0)
			assert_true(skip > 0 || strlen(line) <= widths[i]);
		free(text);
	}
}

#define SERVICE(name, state, listener, running, accepted, refused, failed) \
	"{\"name\": \"" name "\", \"state\": \"" state "\", \"listeners\": [{\"endpoint\": " \
	"\"tcp [::]:7\", \"state\": \"" listener "\", \"error\": \"bind: in use\"}], " \
	"\"running\": " running ", \"instances\": 64, \"accepted\": " accepted ", \"refused\": " \
	"{\"acl\": " refused ", \"rate\": 0}, \"failed\": " failed \
	", \"exited\": {\"ok\": 1, \"nonzero\": 2, \"signal\": 3}, \"sources\": 0}"

static void test_status(void **state)
{
	static const char *const order[] = {
		"throttle", "bound", "starve", "paused", "gone", "refuser", "busy", "idle", "able"};
	json_t *answer = load("{\"version\": \"9\", \"pid\": 7, \"uptime_s\": 61, \"loop\": "
			      "\"epoll\", \"config\": {\"file\": \"/etc/a\", \"loaded_at\": \"x\", "
			      "\"generation\": 2}, \"services\": ["               //
		SERVICE("idle", "listening", "open", "0", "5", "0", "0") ","      //
		SERVICE("able", "listening", "absent", "0", "4", "0", "0") ","    //
		SERVICE("busy", "busy", "open", "1", "1", "0", "0") ","           //
		SERVICE("refuser", "listening", "open", "9", "1", "3", "0") ","   //
		SERVICE("paused", "paused", "open", "2", "1", "0", "0") ","       //
		SERVICE("gone", "draining", "closed", "1", "1", "0", "0") ","     //
		SERVICE("bound", "listening", "retrying", "2", "1", "0", "0") "," //
		SERVICE("starve", "starved", "open", "1", "1", "0", "0") ","      //
		SERVICE("throttle", "throttled", "open", "3", "1", "0", "0") "]}");
	struct view_pair pair = {.now = answer};
	char *text = view_text(view_status, &pair, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		assert_int_equal(line_of(text, order[i]), 5 + i);
	assert_non_null(strstr(text, "superd 9, pid 7, up 1m01s, loop epoll\n"));
	assert_non_null(strstr(text, "9 services, 5 not taking connections as configured, "
				     "19 programs running\n"));
	assert_non_null(strstr(text, "tcp [::]:7: bind: in use\n"));
	assert_non_null(strstr(text, "refused: acl 3\n"));
	assert_fits(view_status, &pair, "SERVICE");
	free(text);
	json_decref(answer);
}

/* What has begun at one moment is equally old in both lines of the head: whole seconds, rounded
   down, also where the seconds of the clock differ by one more. */
static void test_ages(void **state)
{
	int64_t before_ns = clock_wall_ns();
	int64_t loaded_ns = (before_ns / CLOCK_NS_PER_S - 3) * CLOCK_NS_PER_S + 999000000;
	long long least = (before_ns - loaded_ns) / CLOCK_NS_PER_S;
	long long most, ago_s;
	char when[CLOCK_TEXT_SIZE], end[8];
	struct view_pair pair = {0};
	char *text;
	json_t *answer;

	(void)state;
	clock_format(loaded_ns, when);
	answer = json_pack("{s:i, s:{s:s}}", "uptime_s", 2, "config", "loaded_at", when);
	pair.now = answer;
	text = view_text(view_status, &pair, 0);
	most = (clock_wall_ns() - loaded_ns) / CLOCK_NS_PER_S;
	assert_non_null(strstr(text, ", up 2s, loop"));
	assert_int_equal(sscanf(strstr(text, "Z, "), "Z, %llds %7s", &ago_s, end), 2);
	assert_string_equal(end, "ago");
	assert_in_range(ago_s, least, most);
	free(text);
	json_decref(answer);
}

static void test_rates(void **state)
{
	json_t *before = load("{\"services\": [" //
		SERVICE("a", "listening", "open", "0", "5", "0", "0") "]}");
	json_t *now = load("{\"services\": ["                              //
		SERVICE("a", "listening", "open", "0", "25", "1", "0") "," //
		SERVICE("new", "listening", "open", "0", "25", "0", "0") "]}");
	struct view_pair pair = {.now = now, .before = before, .elapsed_s = 4};
	char *text = view_text(view_status, &pair, 0);
	const char *row = text;
	char name[8], listen[8];
	double accepted, refused, failed;

	(void)state;
	for (size_t i = line_of(text, "a "); i > 0; i--)
		row = strchr(row, '\n') + 1;
	assert_int_equal(sscanf(row, "%7s listening %7s 0/64 %lf %lf %lf", name, listen, &accepted,
				 &refused, &failed),
		5);
	assert_true(accepted == 5 && refused == 0.2 && failed == 0);
	assert_non_null(strstr(text, "ACCEPT/S"));
	free(text);
	json_decref(before);
	json_decref(now);
}

/* What is not as it should be is not believed, and not printed raw. */
static void test_odd_answers(void **state)
{
	static const char *const answers[] = {
		"{}",
		"{\"services\": 3, \"connections\": {}}",
		"{\"services\": [], \"connections\": []}",
		"{\"services\": [1, null, {}], \"connections\": [1, null, {}]}",
		"{\"services\": [{\"name\": 3, \"refused\": [], \"listeners\": [7, {}]}]}",
		"{\"services\": [{\"name\": \"\\u001b[31m\", \"state\": \"\\u0007\"}]}",
		"{\"connections\": [{\"id\": \"\\n\", \"peer\": \"\\u001b\"}]}",
	};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		json_t *answer = load(answers[i]);
		struct view_pair pair = {.now = answer};

		text = view_text(view_status, &pair, 40);
		assert_null(strchr(text, '\033'));
		assert_null(strchr(text, '\007'));
		free(text);
		text = view_text(view_connections, &pair, 40);
		assert_null(strchr(text, '\033'));
		free(text);
		json_decref(answer);
	}
}

static void test_connections(void **state)
{
	json_t *before = load("{\"connections\": [{\"id\": \"1\", \"cpu\": 5.0, \"age\": 9}, "
			      "{\"id\": \"2\", \"cpu\": 1.0, \"age\": 8}]}");
	json_t *now = load("{\"connections\": [{\"id\": \"1\", \"cpu\": 5.0, \"age\": 11}, "
			   "{\"id\": \"2\", \"service\": \"b\", \"peer\": \"127.0.0.1:9\", "
			   "\"pid\": 3, \"cpu\": 2.0, \"age\": 10, \"idle\": 1.5, \"rss\": 2048}, "
			   "{\"id\": \"3\", \"cpu\": null, \"idle\": null, \"age\": 1, \"rss\": "
			   "null}]}");
	struct view_pair pair = {.now = now};
	char *text = view_text(view_connections, &pair, 0);

	(void)state;
	assert_int_equal(line_of(text, "1 "), 1); /* most processor time in all */
	assert_int_equal(line_of(text, "2 "), 2);
	assert_non_null(strstr(text, "127.0.0.1:9    3   10s  1.5s  2.0s  2.0K\n"));
	assert_fits(view_connections, &pair, "ID");
	free(text);
	pair = (struct view_pair){.now = now, .before = before, .elapsed_s = 2};
	text = view_text(view_connections, &pair, 0);
	assert_int_equal(line_of(text, "2 "), 1); /* most of it since */
	assert_non_null(strstr(text, " 50%"));
	free(text);
	json_decref(before);
	json_decref(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_odd_answers),
		cmocka_unit_test(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
