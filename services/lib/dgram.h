/*
 * dgram: datagrams, answered from the address they were sent to, and the rules that keep an answer
 * from looping between two services or from hitting a third party.
 */
#ifndef SERVICES_LIB_DGRAM_H
#define SERVICES_LIB_DGRAM_H

#include "services/lib/io.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* Longest datagram that UDP carries, rounded up: room for any request and any answer. */
#define DGRAM_SIZE 65536

/* A datagram socket and what was learnt of it once. */
struct dgram_socket {
	int fd;
	sa_family_t family; /* AF_INET, AF_INET6, AF_UNIX */
	uint16_t port;      /* its own, host order; 0 for unix */
	bool connected;     /* it has one peer; answers go there */
};

/* Where one datagram came from and went to. */
struct dgram {
	struct sockaddr_storage source;
	socklen_t source_length; /* 0: no source, there is nobody to answer */
	struct in6_addr to;      /* where it was sent, v4 as v4-mapped; :: where it is not known */
	struct in_addr local;    /* v4: the own address that fits it, another than `to` where it was
				    broadcast; 0.0.0.0 where it is not known */
};

/* May a datagram be answered? */
enum dgram_verdict {
	DGRAM_ANSWER,
	DGRAM_NO_SOURCE,           /* it has no source address (unix) */
	DGRAM_SERVICE_PORT,        /* from port 0, 7, 13, 17, 19 or 37: that would answer in turn */
	DGRAM_OWN_PORT,            /* from the service's own port on its own host: itself */
	DGRAM_SOURCE_ADDRESS,      /* from a broadcast, multicast or unspecified address */
	DGRAM_DESTINATION_ADDRESS, /* to a broadcast or multicast address */
	DGRAM_MALFORMED,           /* it is no request (the service says so, never the rules) */
};

/* For a log line: "source port of a service", ... */
const char *dgram_verdict_name(enum dgram_verdict verdict);

/*
 * Learns what fd is, and asks the kernel for the destination of each datagram (an option of the
 * socket, not of its blocking).  Returns 0, or -1 with errno where fd is no datagram socket.
 */
int dgram_open(int fd, struct dgram_socket *from);

/*
 * Waits for one datagram and reads it.  Returns its length (0 is a datagram without content), or
 * -1 with errno: ETIMEDOUT at the deadline; other errors may concern one datagram only (ICMP
 * errors of earlier answers, for instance), so the caller goes on, but not for ever.
 */
ssize_t dgram_receive(struct dgram_socket *from, void *buffer, size_t size,
	struct io_deadline *deadline, struct dgram *dgram);

/*
 * The rules, by the addresses alone: DGRAM_OWN_PORT says that the source port is the service's
 * own, and it remains to ask whether the source is the own host.
 */
enum dgram_verdict dgram_judge_addresses(
	const struct dgram_socket *from, const struct dgram *dgram);

/* The rules: dgram_judge_addresses(), with the own host looked at where it matters. */
enum dgram_verdict dgram_judge(const struct dgram_socket *from, const struct dgram *dgram);

/*
 * Answers from the address that the datagram was sent to, without waiting (a full queue drops the
 * answer, as UDP may).  Returns 0, or -1 with errno; the kernel refuses EINVAL or EACCES what is
 * no address of this host or a broadcast.
 */
int dgram_answer(
	struct dgram_socket *from, const struct dgram *dgram, const void *data, size_t length);

#endif
