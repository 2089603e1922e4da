/*
 * source: connect, ask, take out of the JSON string.
 */
#include "config.h"

#include "services/scrape/source.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int source_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Reads until raw holds at least count bytes; less only at the end of the answer. */
static int source_fill(struct source *source, size_t count, struct io_deadline *deadline)
{
	memmove(source->raw, source->raw + source->at, source->used - source->at);
	source->used -= source->at;
	source->at = 0;
	while (source->used < count) {
		ssize_t got = io_read(source->fd, source->raw + source->used,
			sizeof(source->raw) - source->used, deadline);

		if (got < 0)
			return -1;
		if (got == 0)
			return 0;
		source->used += (size_t)got;
	}
	return 0;
}

int source_open(
	struct source *source, const char *path, struct io_deadline *deadline, const char **reason)
{
	static const char begin[] = "{\"ok\": true, \"metrics\": \"";
	const size_t length = sizeof(begin) - 1;

	source->used = 0;
	source->at = 0;
	source->done = false;
	source->fd = source_connect(path);
	*reason = path;
	if (source->fd < 0)
		return -1;
	*reason = "the control socket";
	if (io_write_full(source->fd, "metrics\n", 8, deadline) == 0 &&
		source_fill(source, length, deadline) == 0) {
		if (source->used >= length && memcmp(source->raw, begin, length) == 0) {
			source->at = length;
			return 0;
		}
		source_fill(source, sizeof(source->raw) - 1, deadline);
		while (source->used > 0 && source->raw[source->used - 1] == '\n')
			source->used--;
		source->raw[source->used] = '\0';
		*reason = source->used > 0 ? source->raw : "superd gave no answer";
		errno = 0;
	}
	close(source->fd);
	source->fd = -1;
	return -1;
}

/* The value of four hexadecimal digits, below 128; -1: none of that. */
static int hex_ascii(const char *digits)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		static const char all[] = "0123456789abcdef";
		const char *digit = digits[i] == '\0' ? NULL : strchr(all, digits[i] | 0x20);

		if (digit == NULL)
			return -1;
		value = value * 16 + (int)(digit - all);
	}
	return value < 128 ? value : -1;
}

/* Takes one escape at raw + at, which holds at least 6 bytes unless the answer ends. Returns the
   byte it stands for, or -1. */
static int source_escape(struct source *source)
{
	static const char names[] = "\"\\/bfnrt";
	static const char bytes[] = "\"\\/\b\f\n\r\t";
	const char *text = source->raw + source->at;
	size_t left = source->used - source->at;
	const char *name;
	int value;

	if (left >= 6 && text[1] == 'u') {
		value = hex_ascii(text + 2);
		source->at += 6;
		return value;
	}
	name = left >= 2 && text[1] != '\0' ? strchr(names, text[1]) : NULL;
	if (name == NULL)
		return -1;
	source->at += 2;
	return bytes[name - names];
}

/* Behind the closing quote: nothing but the end of the answer may follow. */
static ssize_t source_end(struct source *source, size_t count, struct io_deadline *deadline)
{
	source->at++;
	if (source_fill(source, 2, deadline) != 0)
		return -1;
	if (source->used - source->at < 2 || memcmp(source->raw + source->at, "}\n", 2) != 0) {
		errno = EPROTO;
		return -1;
	}
	source->done = true;
	return (ssize_t)count;
}

ssize_t source_read(struct source *source, char *data, struct io_deadline *deadline)
{
	size_t count = 0;

	if (source->done)
		return 0;
	if (source->used - source->at < 6 && source_fill(source, 6, deadline) != 0)
		return -1;
	while (source->at < source->used && count < SOURCE_PIECE) {
		int byte = (unsigned char)source->raw[source->at];

		if (byte == '"')
			return source_end(source, count, deadline);
		if (byte != '\\') {
			source->at++;
		} else {
			if (source->used - source->at < 6 && count > 0)
				return (ssize_t)
					count; /* the rest of it comes with the next piece */
			byte = source_escape(source);
		}
		if (byte < 0)
			break;
		data[count++] = (char)byte;
	}
	if (count > 0 && (source->at == source->used || count == SOURCE_PIECE))
		return (ssize_t)count;
	errno = EPROTO;
	return -1;
}

void source_close(struct source *source)
{
	if (source->fd >= 0)
		close(source->fd);
	source->fd = -1;
}
