/*
 * kind: what a descriptor is, from which a service learns how it was started.
 */
#ifndef SERVICES_LIB_KIND_H
#define SERVICES_LIB_KIND_H

enum kind {
	KIND_STREAM,   /* a connected stream (or sequenced-packet) socket: one connection */
	KIND_LISTENER, /* a listening stream socket: connections are to be accepted */
	KIND_DGRAM,    /* a datagram socket */
	KIND_OTHER,    /* a pipe, a file, a terminal: started by hand */
};

/* "stream", "listener", "datagram", "other". */
const char *kind_name(enum kind kind);

/* What fd is; KIND_OTHER also where it is not open.  errno is unchanged. */
enum kind kind_of(int fd);

#endif
