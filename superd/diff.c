/*
 * diff: one question to the control socket.
 */
#include "config.h"
#include "superd/diff.h"

#include "superd/control_client.h"

#include <jansson.h>

#define ANSWER_MS 60000 /* superd may be busy with a reload, and the file slow to load */

static void diff_print_lines(const json_t *answer, const char *name, FILE *out)
{
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(answer, name), i, line)
	{
		const char *text = json_string_value(line);

		if (text != NULL)
			fprintf(out, "%s\n", text);
	}
}

int diff_print(
	const struct conf *conf, const char *path, FILE *out, FILE *problems, struct error *error)
{
	const char *const words[] = {"diff", path};
	const char *why;
	json_t *answer;
	int result = 0;

	if (conf->control_socket == NULL)
		return error_set(error, 0,
			"the configuration has no control-socket by which a superd could be asked");
	if (control_client_ask(conf->control_socket, words, 2, ANSWER_MS, &answer, error) != 0)
		return -1;
	diff_print_lines(answer, "messages", problems);
	if (json_is_true(json_object_get(answer, "ok"))) {
		diff_print_lines(answer, "plan", out);
	} else {
		why = json_string_value(json_object_get(answer, "error"));
		result = error_set(error, 0, "%s", why != NULL ? why : "superd refuses");
	}
	json_decref(answer);
	return result;
}
