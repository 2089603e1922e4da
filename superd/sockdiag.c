/*
 * sockdiag: batches of requests for single sockets, and their answers.
 *
 * Each request carries its place in the batch as sequence number, by which answers find back. The
 * kernel handles a batch within sendmsg(2) and queues the answers; a batch is small enough that
 * they fit the socket's receive buffer.
 */
#include "config.h"
#include "superd/sockdiag.h"

#include "superd/descriptor.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH	     64
#define RECEIVE_SIZE (256 * 1024)

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

struct sockdiag {
	int fd;
	struct request requests[BATCH];
	char answers[64 * 1024] __attribute__((aligned(NLMSG_ALIGNTO)));
};

int sockdiag_new(struct sockdiag **sockdiag, struct error *error)
{
	struct sockdiag *made = calloc(1, sizeof(*made));
	int size = RECEIVE_SIZE;

	if (made == NULL)
		return error_set(error, errno, "sock_diag");
	made->fd = descriptor_raise(socket(
		AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
	if (made->fd < 0) {
		error_set(error, errno, "sock_diag, which `idle` needs");
		free(made);
		return -1;
	}
	setsockopt(made->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*sockdiag = made;
	return 0;
}

void sockdiag_free(struct sockdiag *sockdiag)
{
	if (sockdiag == NULL)
		return;
	close(sockdiag->fd);
	free(sockdiag);
}

int sockdiag_cookie(int fd, uint64_t *cookie)
{
	socklen_t length = sizeof(*cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &length);
}

static void request_fill(
	struct request *request, const struct sockdiag_query *query, uint32_t sequence)
{
	struct inet_diag_sockid *id = &request->body.id;

	*request = (struct request){
		.header = {.nlmsg_len = sizeof(*request),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
			.nlmsg_seq = sequence},
		.body = {.sdiag_family = (uint8_t)query->peer.family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = 1U << (INET_DIAG_INFO - 1),
			.idiag_states = ~0U},
	};
	id->idiag_sport = htons(query->local.port);
	id->idiag_dport = htons(query->peer.port);
	memcpy(id->idiag_src, query->local.u.ip, sizeof(query->local.u.ip));
	memcpy(id->idiag_dst, query->peer.u.ip, sizeof(query->peer.u.ip));
	id->idiag_if = query->peer.scope;
	id->idiag_cookie[0] = (uint32_t)query->cookie;
	id->idiag_cookie[1] = (uint32_t)(query->cookie >> 32);
}

/* The tcp_info among the attributes of an answer: what is silent, if it is there. */
static void answer_read(struct sockdiag_query *query, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *message = NLMSG_DATA(header);
	const struct nlattr *attribute = (const void *)(message + 1);
	size_t left = header->nlmsg_len - NLMSG_LENGTH(sizeof(*message));
	struct tcp_info info = {0};

	while (left >= sizeof(*attribute) && attribute->nla_len >= sizeof(*attribute) &&
		attribute->nla_len <= left) {
		size_t size = NLA_ALIGN(attribute->nla_len);

		if (attribute->nla_type == INET_DIAG_INFO) {
			size_t length = attribute->nla_len - sizeof(*attribute);

			memcpy(&info, attribute + 1, length < sizeof(info) ? length : sizeof(info));
			query->result = SOCKDIAG_FOUND;
			query->silent_ms = info.tcpi_last_data_sent < info.tcpi_last_data_recv
						   ? info.tcpi_last_data_sent
						   : info.tcpi_last_data_recv;
			return;
		}
		left -= size < left ? size : left;
		attribute = (const void *)((const char *)attribute + size);
	}
}

/* One message of the kernel. Returns how many queries it answers: 0 or 1. */
static size_t answer_take(
	struct sockdiag_query *queries, size_t count, const struct nlmsghdr *header)
{
	const struct nlmsgerr *problem = NLMSG_DATA(header);

	if (header->nlmsg_seq >= count)
		return 0;
	if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
		answer_read(&queries[header->nlmsg_seq], header);
	else if (header->nlmsg_type == NLMSG_ERROR &&
		 header->nlmsg_len >= NLMSG_LENGTH(sizeof(*problem)) &&
		 (problem->error == -ENOENT || problem->error == -ESTALE))
		queries[header->nlmsg_seq].result = SOCKDIAG_GONE;
	return 1;
}

/* Reads answers until there is one for each of count, or no more. */
static void batch_receive(
	struct sockdiag *sockdiag, struct sockdiag_query *queries, size_t count)
{
	size_t answered = 0;
	ssize_t got;

	while (answered < count) {
		const struct nlmsghdr *header = (const void *)sockdiag->answers;

		got = recv(sockdiag->fd, sockdiag->answers, sizeof(sockdiag->answers), 0);
		if (got < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (got <= 0)
			return;
		for (size_t left = (size_t)got; NLMSG_OK(header, left);
			header = NLMSG_NEXT(header, left))
			answered += answer_take(queries, count, header);
	}
}

static int batch_ask(struct sockdiag *sockdiag, struct sockdiag_query *queries, size_t count,
	struct error *error)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent;

	for (size_t i = 0; i < count; i++) {
		queries[i].result = SOCKDIAG_FAILED;
		queries[i].silent_ms = 0;
		request_fill(&sockdiag->requests[i], &queries[i], (uint32_t)i);
	}
	do
		sent = sendto(sockdiag->fd, sockdiag->requests, count * sizeof(struct request), 0,
			(const struct sockaddr *)&kernel, sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return error_set(error, errno, "sock_diag");
	batch_receive(sockdiag, queries, count);
	return 0;
}

int sockdiag_ask(struct sockdiag *sockdiag, struct sockdiag_query *queries, size_t count,
	struct error *error)
{
	for (size_t first = 0; first < count; first += BATCH) {
		size_t batch = count - first < BATCH ? count - first : BATCH;

		if (batch_ask(sockdiag, queries + first, batch, error) != 0)
			return -1;
	}
	return 0;
}
