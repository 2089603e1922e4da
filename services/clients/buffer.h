/*
 * buffer: a bounded queue of bytes between one descriptor and another.
 *
 * The bound is what keeps a fast sender from filling memory: who finds no room stops reading, and
 * TCP or the pipe makes the sender wait.
 */
#ifndef SERVICES_CLIENTS_BUFFER_H
#define SERVICES_CLIENTS_BUFFER_H

#include <stddef.h>
#include <sys/types.h>

struct buffer {
	char *data;   /* size bytes, owned */
	size_t size;  /* never changes */
	size_t start; /* first byte held; 0 whenever the buffer is empty */
	size_t end;   /* one past the last byte held */
};

/* Allocates size bytes.  Returns 0, or -1 with errno set; buffer_free is safe in either case. */
int buffer_init(struct buffer *buffer, size_t size);

/* Releases what buffer_init allocated; a zeroed buffer is fine. */
void buffer_free(struct buffer *buffer);

/* How many bytes are held. */
size_t buffer_length(const struct buffer *buffer);

/* How many bytes can still be added. */
size_t buffer_room(const struct buffer *buffer);

/* The bytes held, buffer_length of them. */
const char *buffer_bytes(const struct buffer *buffer);

/* Adds length bytes, which must not be more than buffer_room. */
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);

/* Drops the first length bytes, which must be held. */
void buffer_consume(struct buffer *buffer, size_t length);

/* Moves as much from one buffer to the other as there is and as fits. */
void buffer_move(struct buffer *from, struct buffer *to);

/*
 * One read(2) into the room there is.  Returns what read returns: bytes got, 0 at end of file,
 * -1 with errno (EINTR and EAGAIN included).
 */
ssize_t buffer_read(struct buffer *buffer, int descriptor);

/* One recv(2) that does not block, into the room there is; returns as recv does. */
ssize_t buffer_receive(struct buffer *buffer, int socket);

/*
 * One write(2) of what is held, at most PIPE_BUF bytes: after poll reported the descriptor
 * writable so few never block, whether it is a pipe, a terminal or a file.  Drops what was
 * written.  Returns as write does.
 */
ssize_t buffer_write(struct buffer *buffer, int descriptor);

/*
 * One send(2) that neither blocks nor raises SIGPIPE, of what is held.  Drops what was sent.
 * Returns as send does.
 */
ssize_t buffer_send(struct buffer *buffer, int socket);

#endif
