/*
 * buffer: a bounded queue of bytes between one descriptor and another.
 */
#include "config.h"
#include "services/clients/buffer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int buffer_init(struct buffer *buffer, size_t size)
{
	*buffer = (struct buffer){0};
	buffer->data = malloc(size);
	if (buffer->data == NULL)
		return -1;
	buffer->size = size;
	return 0;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}

size_t buffer_length(const struct buffer *buffer)
{
	return buffer->end - buffer->start;
}

size_t buffer_room(const struct buffer *buffer)
{
	return buffer->size - buffer_length(buffer);
}

const char *buffer_bytes(const struct buffer *buffer)
{
	return buffer->data + buffer->start;
}

/* Where the next byte goes; what is held is moved down first, so that all room is in one piece. */
static char *buffer_tail(struct buffer *buffer)
{
	if (buffer->start > 0) {
		memmove(buffer->data, buffer->data + buffer->start, buffer_length(buffer));
		buffer->end -= buffer->start;
		buffer->start = 0;
	}
	return buffer->data + buffer->end;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	memcpy(buffer_tail(buffer), bytes, length);
	buffer->end += length;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	buffer->start += length;
	if (buffer->start == buffer->end) {
		buffer->start = 0;
		buffer->end = 0;
	}
}

void buffer_move(struct buffer *from, struct buffer *to)
{
	size_t length = buffer_length(from);

	if (length > buffer_room(to))
		length = buffer_room(to);
	if (length == 0)
		return;
	buffer_append(to, buffer_bytes(from), length);
	buffer_consume(from, length);
}

ssize_t buffer_read(struct buffer *buffer, int descriptor)
{
	ssize_t got = read(descriptor, buffer_tail(buffer), buffer_room(buffer));

	if (got > 0)
		buffer->end += (size_t)got;
	return got;
}

ssize_t buffer_receive(struct buffer *buffer, int socket)
{
	ssize_t got = recv(socket, buffer_tail(buffer), buffer_room(buffer), MSG_DONTWAIT);

	if (got > 0)
		buffer->end += (size_t)got;
	return got;
}

ssize_t buffer_write(struct buffer *buffer, int descriptor)
{
	size_t length = buffer_length(buffer);
	ssize_t put;

	if (length > PIPE_BUF)
		length = PIPE_BUF;
	put = write(descriptor, buffer_bytes(buffer), length);
	if (put > 0)
		buffer_consume(buffer, (size_t)put);
	return put;
}

ssize_t buffer_send(struct buffer *buffer, int socket)
{
	ssize_t put = send(
		socket, buffer_bytes(buffer), buffer_length(buffer), MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put > 0)
		buffer_consume(buffer, (size_t)put);
	return put;
}
