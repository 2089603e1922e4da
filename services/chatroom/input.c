/*
 * input: the lines in what a client sends, in whatever pieces it comes.
 */
#include "config.h"

#include "services/chatroom/input.h"

#include <string.h>

const char *input_status_name(enum input_status status)
{
	static const char *const names[] = {
		[INPUT_MORE] = "more",
		[INPUT_LINE] = "line",
		[INPUT_TOO_LONG] = "too long",
	};

	return names[status];
}

void input_init(struct input *input)
{
	input->used = 0;
	input->dropping = false;
}

/* Takes the collected bytes as a line; false where they are too many. */
static bool line_finish(struct input *input, char **line, size_t *length)
{
	size_t used = input->used;

	input->used = 0;
	if (used > 0 && input->line[used - 1] == '\r')
		used--;
	if (used > INPUT_MAX_LENGTH)
		return false;
	input->line[used] = '\0';
	*line = input->line;
	*length = used;
	return true;
}

/* Adds bytes to the line; false where they are too many. */
static bool line_collect(struct input *input, const char *bytes, size_t count)
{
	if (count > INPUT_MAX_LENGTH + 1 - input->used)
		return false;
	memcpy(input->line + input->used, bytes, count);
	input->used += count;
	return true;
}

enum input_status input_next(
	struct input *input, const char **piece, size_t *left, char **line, size_t *length)
{
	while (*left > 0) {
		const char *bytes = *piece;
		const char *end = memchr(bytes, '\n', *left);
		size_t count = end != NULL ? (size_t)(end - bytes) : *left;
		size_t step = end != NULL ? count + 1 : count;
		bool dropping = input->dropping;

		*piece += step;
		*left -= step;
		if (dropping) {
			input->dropping = end == NULL;
			continue;
		}
		if (!line_collect(input, bytes, count)) {
			input->used = 0;
			input->dropping = end == NULL;
			return INPUT_TOO_LONG;
		}
		if (end != NULL)
			return line_finish(input, line, length) ? INPUT_LINE : INPUT_TOO_LONG;
	}
	return INPUT_MORE;
}

bool input_last(struct input *input, char **line, size_t *length)
{
	return input->used > 0 && line_finish(input, line, length);
}
