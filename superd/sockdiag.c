/*
 * sockdiag: inet_diag requests for single sockets over one netlink socket.
 *
 * Requests go out in batches, one datagram each; every answer comes as a datagram of its own,
 * and all of them lie in the receive queue when the sending call returns. What is missing then
 * was lost for want of room, and is asked again.
 */
#include "config.h"
#include "superd/sockdiag.h"

#include "superd/clock.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel charges an answer with up to 2 KB: these fit any receive buffer in use. */
#define BATCH 64
/* What is asked for takes about 400 bytes, attributes that a later kernel adds come on top. */
#define ANSWER_BYTES 640

/* One request as it is sent: its size is a multiple of 4, so that they lie side by side. */
struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

struct sockdiag {
	int fd;
	uint32_t sequence; /* of the next request; tells late answers from awaited ones */
	struct request requests[BATCH];
	struct sockdiag_query *asked[BATCH]; /* what is to be answered; NULL: it is */
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	_Alignas(struct nlmsghdr) char answers[BATCH][ANSWER_BYTES];
};

/* The beginning of the kernel's struct tcp_info, which grows at its end. */
#define INFO_BYTES (offsetof(struct tcp_info, tcpi_last_data_recv) + sizeof(uint32_t))

const char *sockdiag_result_name(enum sockdiag_result result)
{
	static const char *const names[] = {
		[SOCKDIAG_FOUND] = "found",
		[SOCKDIAG_GONE] = "gone",
		[SOCKDIAG_FAILED] = "failed",
	};

	return names[result];
}

int sockdiag_cookie(int fd, uint64_t *cookie)
{
	socklen_t length = sizeof(*cookie);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &length);
}

static void request_head(struct request *request, uint8_t family, uint32_t sequence)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = sizeof(*request);
	request->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->header.nlmsg_flags = NLM_F_REQUEST;
	request->header.nlmsg_seq = sequence;
	request->body.sdiag_family = family;
	request->body.sdiag_protocol = IPPROTO_TCP;
}

static void request_fill(
	struct request *request, const struct sockdiag_query *query, uint32_t sequence)
{
	struct inet_diag_sockid *id = &request->body.id;
	size_t length = query->peer.family == AF_INET ? 4 : 16;

	request_head(request, (uint8_t)query->peer.family, sequence);
	request->body.idiag_ext = 1 << (INET_DIAG_INFO - 1);
	id->idiag_sport = htons(query->local.port);
	id->idiag_dport = htons(query->peer.port);
	memcpy(id->idiag_src, query->local.u.ip, length);
	memcpy(id->idiag_dst, query->peer.u.ip, length);
	/* The kernel binds a link-local connection to the interface it came by. */
	id->idiag_if = query->bound != 0 ? query->bound : query->peer.scope;
	id->idiag_cookie[0] = (uint32_t)query->cookie;
	id->idiag_cookie[1] = (uint32_t)(query->cookie >> 32);
}

/* Sends the first count requests as one datagram; 0 or -1 with errno. */
static int requests_send(struct sockdiag *diag, size_t count)
{
	ssize_t sent;

	do {
		sent = send(diag->fd, diag->requests, count * sizeof(diag->requests[0]), 0);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}

/* Takes what lies in the receive queue, at most BATCH datagrams: how many, or -1 with errno. */
static int answers_receive(struct sockdiag *diag)
{
	int received;

	do {
		received = recvmmsg(diag->fd, diag->messages, BATCH, MSG_DONTWAIT, NULL);
		/* ENOBUFS only tells that answers were lost; others may be there. */
	} while (received < 0 && (errno == EINTR || errno == ENOBUFS));
	return received;
}

/* The silence that *info tells of, no longer than the connection's own life. */
static uint32_t info_silent_ms(const struct tcp_info *info, int64_t accepted_ns, int64_t now_ns)
{
	uint32_t silent_ms = info->tcpi_last_data_recv;
	int64_t age_ms = (now_ns - accepted_ns) / CLOCK_NS_PER_MS;

	if (info->tcpi_last_data_sent < silent_ms)
		silent_ms = info->tcpi_last_data_sent;
	if (age_ms < 0)
		return 0;
	return age_ms < silent_ms ? (uint32_t)age_ms : silent_ms;
}

/* Copies the beginning of the tcp_info among the attributes to *info; whether it is there. */
static bool attributes_find_info(const char *at, size_t length, struct tcp_info *info)
{
	const size_t needed = sizeof(struct nlattr) + INFO_BYTES;
	struct nlattr attribute;
	size_t step;

	while (length >= sizeof(attribute)) {
		memcpy(&attribute, at, sizeof(attribute));
		if (attribute.nla_type == INET_DIAG_INFO && attribute.nla_len >= needed &&
			length >= needed) {
			memcpy(info, at + sizeof(attribute), INFO_BYTES);
			return true;
		}
		step = (attribute.nla_len + 3U) & ~3U; /* they begin at multiples of 4 */
		if (step < sizeof(attribute) || step > length)
			return false;
		at += step;
		length -= step;
	}
	return false;
}

/* The answer that describes a socket; body has length bytes of it, maybe not all there were. */
static void answer_describe(struct sockdiag_query *query, const char *body, size_t length)
{
	struct inet_diag_msg socket;
	struct tcp_info info = {0};

	if (length < sizeof(socket))
		return;
	memcpy(&socket, body, sizeof(socket));
	length -= sizeof(socket);
	if (socket.idiag_inode == 0 || socket.idiag_state == TCP_LISTEN) {
		/* The kernel alone has it, be it in TIME_WAIT; or, without a cookie, what still has
		   the address is the listener. */
		query->result = SOCKDIAG_GONE;
	} else if (attributes_find_info(body + sizeof(socket), length, &info)) {
		query->result = SOCKDIAG_FOUND;
		query->silent_ms = info_silent_ms(&info, query->accepted_ns, clock_now_ns());
	}
}

/* What an error tells of the socket; false where it was the kernel that was short of room. */
static bool answer_refuse(struct sockdiag_query *query, int code)
{
	if (code == EAGAIN || code == ENOBUFS)
		return false;
	/* ESTALE: older kernels, where the addresses lead to another socket. */
	if (code == ENOENT || code == ESTALE)
		query->result = SOCKDIAG_GONE;
	return true;
}

/* Gives one datagram to the query it answers, if that is one of the count now asked. */
static void answer_take(
	struct sockdiag *diag, const struct mmsghdr *message, uint32_t first, size_t count)
{
	const char *data = message->msg_hdr.msg_iov->iov_base;
	size_t length = message->msg_len;
	struct nlmsghdr header;
	size_t index;
	int code;

	if (length < sizeof(header))
		return;
	memcpy(&header, data, sizeof(header));
	index = header.nlmsg_seq - first;
	if (header.nlmsg_len < sizeof(header) || index >= count || diag->asked[index] == NULL)
		return;
	if (header.nlmsg_len < length)
		length = header.nlmsg_len; /* padding follows */
	data += sizeof(header);
	length -= sizeof(header);
	if (header.nlmsg_type == SOCK_DIAG_BY_FAMILY) {
		answer_describe(diag->asked[index], data, length);
	} else if (header.nlmsg_type == NLMSG_ERROR && length >= sizeof(code)) {
		memcpy(&code, data, sizeof(code));
		if (!answer_refuse(diag->asked[index], -code))
			return;
	}
	diag->asked[index] = NULL;
}

/* Takes all answers there are to the count requests that begin with sequence first. */
static int answers_take(struct sockdiag *diag, uint32_t first, size_t count, struct error *error)
{
	int received;

	/* To the very end, which also tells the kernel that there is room again after a loss. */
	do {
		received = answers_receive(diag);
		if (received < 0 && errno != EAGAIN)
			return error_set(error, errno, "sock_diag: receiving");
		for (int i = 0; i < received; i++)
			answer_take(diag, &diag->messages[i], first, count);
	} while (received > 0);
	return 0;
}

/* Moves what is still unanswered to the front; how many. */
static size_t asked_compact(struct sockdiag *diag, size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		if (diag->asked[i] != NULL)
			diag->asked[left++] = diag->asked[i];
	}
	return left;
}

/* Asks the first *count of diag->asked once, and leaves those without an answer there. */
static int exchange(struct sockdiag *diag, size_t *count, struct error *error)
{
	uint32_t first = diag->sequence;
	size_t left;

	for (size_t i = 0; i < *count; i++)
		request_fill(&diag->requests[i], diag->asked[i], first + (uint32_t)i);
	diag->sequence += (uint32_t)*count;
	if (requests_send(diag, *count) != 0)
		return error_set(error, errno, "sock_diag: sending");
	if (answers_take(diag, first, *count, error) != 0)
		return -1;
	left = asked_compact(diag, *count);
	/* Without any answer the first stays failed: so the whole always comes to its end. */
	if (left == *count)
		diag->asked[0] = diag->asked[--left];
	*count = left;
	return 0;
}

static bool query_can_ask(const struct sockdiag_query *query)
{
	return (query->peer.family == AF_INET || query->peer.family == AF_INET6) &&
	       query->local.family == query->peer.family;
}

int sockdiag_ask(
	struct sockdiag *diag, struct sockdiag_query *queries, size_t count, struct error *error)
{
	size_t next = 0;
	size_t waiting = 0;

	for (size_t i = 0; i < count; i++) {
		queries[i].result = SOCKDIAG_FAILED;
		queries[i].silent_ms = 0;
	}
	for (;;) {
		for (; next < count && waiting < BATCH; next++) {
			if (query_can_ask(&queries[next]))
				diag->asked[waiting++] = &queries[next];
		}
		if (waiting == 0)
			return 0;
		if (exchange(diag, &waiting, error) != 0)
			return -1;
	}
}

/*
 * Whether this kernel tells of TCP sockets at all; where it does not, it says ENOENT as it does
 * for a socket that is gone. To list the sockets of no state at all costs nothing, and ends with
 * a plain message.
 */
static int probe(struct sockdiag *diag, struct error *error)
{
	const char *data = diag->answers[0] + sizeof(struct nlmsghdr);
	struct nlmsghdr header = {0};
	int code = 0;
	int received;

	request_head(&diag->requests[0], AF_INET, diag->sequence++);
	diag->requests[0].header.nlmsg_flags |= NLM_F_DUMP;
	if (requests_send(diag, 1) != 0)
		return error_set(error, errno, "sock_diag: sending");
	received = answers_receive(diag);
	if (received < 0)
		return error_set(error, errno, "sock_diag: receiving");
	if (received > 0 && diag->messages[0].msg_len >= sizeof(header) + sizeof(code)) {
		memcpy(&header, diag->answers[0], sizeof(header));
		memcpy(&code, data, sizeof(code));
	}
	if (header.nlmsg_type != NLMSG_DONE || code != 0)
		return error_set(error, -code, "sock_diag: the kernel lists no TCP sockets");
	return 0;
}

/* A socket that hears the kernel alone. */
static int netlink_open(struct error *error)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return error_set(error, errno, "sock_diag: socket");
	fd = descriptor_raise(fd);
	if (connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) != 0) {
		error_set(error, errno, "sock_diag: connect");
		close(fd);
		return -1;
	}
	return fd;
}

int sockdiag_new(struct sockdiag **diag, struct error *error)
{
	struct sockdiag *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return error_set(error, errno, "sock_diag");
	for (size_t i = 0; i < BATCH; i++) {
		made->parts[i].iov_base = made->answers[i];
		made->parts[i].iov_len = ANSWER_BYTES;
		made->messages[i].msg_hdr.msg_iov = &made->parts[i];
		made->messages[i].msg_hdr.msg_iovlen = 1;
	}
	made->fd = netlink_open(error);
	if (made->fd < 0 || probe(made, error) != 0) {
		sockdiag_free(made);
		return -1;
	}
	*diag = made;
	return 0;
}

void sockdiag_free(struct sockdiag *diag)
{
	if (diag == NULL)
		return;
	if (diag->fd >= 0)
		close(diag->fd);
	free(diag);
}
