/*
 * control_request: words of a line.
 */
#include "config.h"
#include "superd/control_request.h"

#include <stdbool.h>
#include <string.h>

static bool byte_is_control(char byte)
{
	return (unsigned char)byte < 0x20 || byte == 0x7f;
}

/* Takes the word at *in out of its escapes, to *out, with its NUL. Returns false at a lone '\'. */
static bool request_word(char **in, const char *end, char **out)
{
	while (*in < end && **in != ' ') {
		if (**in == '\\' && ++*in == end)
			return false;
		*(*out)++ = *(*in)++;
	}
	/* a blank, or the byte behind the line: `in` has passed it */
	if (*in < end)
		(*in)++;
	*(*out)++ = '\0';
	return true;
}

int control_request_parse(
	char *line, size_t length, struct control_words *words, struct error *error)
{
	const char *end;
	char *in = line;
	char *out = line;

	words->count = 0;
	if (length > 0 && line[length - 1] == '\r')
		length--;
	end = line + length;
	for (size_t i = 0; i < length; i++) {
		if (byte_is_control(line[i]))
			return error_set(error, 0, "the request holds control characters");
	}
	for (;;) {
		while (in < end && *in == ' ')
			in++;
		if (in == end)
			break;
		if (words->count == CONTROL_WORDS_MAX)
			return error_set(error, 0, "the request has too many words");
		words->list[words->count++] = out;
		if (!request_word(&in, end, &out))
			return error_set(error, 0, "the request ends with a backslash");
	}
	if (words->count == 0)
		return error_set(error, 0, "the request is empty");
	return 0;
}

ssize_t control_request_format(
	const char *const *words, size_t count, char line[CONTROL_LINE_MAX], struct error *error)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		if (words[i][0] == '\0')
			return error_set(error, 0, "an argument is empty");
		for (const char *byte = words[i]; *byte != '\0'; byte++) {
			if (byte_is_control(*byte))
				return error_set(error, 0, "an argument holds control characters");
			if (used + 4 > CONTROL_LINE_MAX)
				return error_set(error, 0, "the arguments are too long");
			if (*byte == ' ' || *byte == '\\')
				line[used++] = '\\';
			line[used++] = *byte;
		}
		line[used++] = i + 1 < count ? ' ' : '\n';
	}
	return (ssize_t)used;
}
