/*
 * dgram: datagrams, answered from the address they were sent to, and the rules against loops.
 */
#include "config.h"

#include "services/lib/dgram.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Control messages: one of either family, and with it the time of arrival, for which whoever opened
   the socket may have asked (superd does). */
union control {
	struct cmsghdr header;
	char in[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct timespec))];
	char in6[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct timespec))];
};

const char *dgram_verdict_name(enum dgram_verdict verdict)
{
	switch (verdict) {
	case DGRAM_ANSWER:
		return "fine";
	case DGRAM_NO_SOURCE:
		return "no source address";
	case DGRAM_SERVICE_PORT:
		return "source port of a service";
	case DGRAM_OWN_PORT:
		return "own port as source";
	case DGRAM_SOURCE_ADDRESS:
		return "source is no host's address";
	case DGRAM_DESTINATION_ADDRESS:
		return "sent to broadcast or multicast";
	case DGRAM_MALFORMED:
		break;
	}
	return "not a request";
}

/* The port of an internet address, host order; 0 for others. */
static uint16_t address_port(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return 0;
}

static void in6_set_mapped(struct in6_addr *in6, const struct in_addr *in)
{
	memset(in6, 0, sizeof(*in6));
	in6->s6_addr[10] = in6->s6_addr[11] = 0xff;
	memcpy(in6->s6_addr + 12, in, 4);
}

/* The IP of an internet address, v4 as v4-mapped. */
static void address_ip(const struct sockaddr_storage *address, struct in6_addr *ip)
{
	if (address->ss_family == AF_INET)
		in6_set_mapped(ip, &((const struct sockaddr_in *)address)->sin_addr);
	else
		*ip = ((const struct sockaddr_in6 *)address)->sin6_addr;
}

int dgram_open(int fd, struct dgram_socket *from)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	int on = 1;

	memset(&address, 0, sizeof(address));
	if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		return -1;
	*from = (struct dgram_socket){
		.fd = fd, .family = address.ss_family, .port = address_port(&address)};
	length = sizeof(address);
	from->connected = getpeername(fd, (struct sockaddr *)&address, &length) == 0;
	/* Where this fails answers go out from the address that routing chooses. */
	if (from->family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	else if (from->family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	return 0;
}

/* Takes the destination out of a control message, if it is the one that holds it. */
static void destination_take(const struct cmsghdr *header, struct dgram *dgram)
{
	struct in_pktinfo info;
	struct in6_pktinfo info6;

	if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
		memcpy(&info, CMSG_DATA(header), sizeof(info));
		in6_set_mapped(&dgram->to, &info.ipi_addr);
		dgram->local = info.ipi_spec_dst;
	} else if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
		memcpy(&info6, CMSG_DATA(header), sizeof(info6));
		dgram->to = info6.ipi6_addr;
	}
}

/* As CMSG_NXTHDR(), which musl writes with a change of sign. */
static const struct cmsghdr *control_next(
	const struct msghdr *message, const struct cmsghdr *header)
{
	const char *begin = message->msg_control;
	size_t at = (size_t)((const char *)header - begin) + CMSG_ALIGN(header->cmsg_len);

	if (at + sizeof(*header) > message->msg_controllen)
		return NULL;
	return (const struct cmsghdr *)(const void *)(begin + at);
}

static void destination_read(const struct msghdr *message, struct dgram *dgram)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);

	for (; header != NULL; header = control_next(message, header))
		destination_take(header, dgram);
}

ssize_t dgram_receive(struct dgram_socket *from, void *buffer, size_t size,
	struct io_deadline *deadline, struct dgram *dgram)
{
	struct iovec part = {.iov_base = buffer, .iov_len = size};
	union control control;
	ssize_t got;

	for (;;) {
		struct msghdr message = {
			.msg_name = &dgram->source,
			.msg_namelen = sizeof(dgram->source),
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};

		memset(dgram, 0, sizeof(*dgram));
		got = recvmsg(from->fd, &message, MSG_DONTWAIT);
		if (got >= 0) {
			dgram->source_length = message.msg_namelen;
			/* An unnamed unix socket leaves a family and no name. */
			if (from->family == AF_UNIX && message.msg_namelen <= sizeof(sa_family_t))
				dgram->source_length = 0;
			destination_read(&message, dgram);
			return got;
		}
		if (errno == EAGAIN) {
			if (io_wait(from->fd, POLLIN, deadline) != 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
}

static bool port_is_service(uint16_t port)
{
	static const uint16_t ports[] = {0, 7, 13, 17, 19, 37};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* Multicast, limited broadcast, 0.0.0.0/8 and ::, none of which is a host. */
static bool ip_is_no_host(const struct in6_addr *ip)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		uint8_t first = ip->s6_addr[12];

		/* 224.0.0.0/4 is multicast, 240.0.0.0/4 reserved but for broadcast. */
		return first == 0 || first >= 224;
	}
	return IN6_IS_ADDR_MULTICAST(ip) || IN6_IS_ADDR_UNSPECIFIED(ip);
}

static bool destination_is_shared(const struct dgram *dgram)
{
	struct in6_addr local;

	if (IN6_IS_ADDR_UNSPECIFIED(&dgram->to))
		return false; /* not known */
	if (ip_is_no_host(&dgram->to))
		return true;
	if (!IN6_IS_ADDR_V4MAPPED(&dgram->to) || dgram->local.s_addr == 0)
		return false;
	/* A subnet's broadcast address is known by the kernel's other choice for the answer. */
	in6_set_mapped(&local, &dgram->local);
	return memcmp(&local, &dgram->to, sizeof(local)) != 0;
}

enum dgram_verdict dgram_judge_addresses(const struct dgram_socket *from, const struct dgram *dgram)
{
	struct in6_addr ip;
	uint16_t port;

	if (from->family == AF_UNIX)
		return dgram->source_length != 0 || from->connected ? DGRAM_ANSWER
								    : DGRAM_NO_SOURCE;
	if (dgram->source_length == 0)
		return DGRAM_NO_SOURCE;
	port = address_port(&dgram->source);
	if (port_is_service(port))
		return DGRAM_SERVICE_PORT;
	address_ip(&dgram->source, &ip);
	if (ip_is_no_host(&ip))
		return DGRAM_SOURCE_ADDRESS;
	if (destination_is_shared(dgram))
		return DGRAM_DESTINATION_ADDRESS;
	return port == from->port ? DGRAM_OWN_PORT : DGRAM_ANSWER;
}

/* Whether an address is this host's: only those can be bound. */
static bool address_is_own(const struct sockaddr_storage *address, socklen_t length)
{
	struct sockaddr_storage any_port = *address;
	int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool own;

	if (fd < 0)
		return true; /* in doubt no answer */
	if (address->ss_family == AF_INET)
		((struct sockaddr_in *)&any_port)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&any_port)->sin6_port = 0;
	own = bind(fd, (struct sockaddr *)&any_port, length) == 0 || errno != EADDRNOTAVAIL;
	close(fd);
	return own;
}

enum dgram_verdict dgram_judge(const struct dgram_socket *from, const struct dgram *dgram)
{
	enum dgram_verdict verdict = dgram_judge_addresses(from, dgram);

	if (verdict == DGRAM_OWN_PORT && !address_is_own(&dgram->source, dgram->source_length))
		return DGRAM_ANSWER;
	return verdict;
}

/* Puts the address that the answer is to come from into the control message. */
static void origin_write(struct msghdr *message, union control *control, sa_family_t family,
	const struct dgram *dgram)
{
	struct in_pktinfo info = {0};
	struct in6_pktinfo info6 = {.ipi6_addr = dgram->to};
	struct cmsghdr *header = &control->header;

	memset(control, 0, sizeof(*control));
	message->msg_control = control;
	if (family == AF_INET) {
		memcpy(&info.ipi_spec_dst, dgram->to.s6_addr + 12, 4);
		header->cmsg_level = IPPROTO_IP;
		header->cmsg_type = IP_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(info));
		message->msg_controllen = CMSG_SPACE(sizeof(info));
		memcpy(CMSG_DATA(header), &info, sizeof(info));
	} else {
		header->cmsg_level = IPPROTO_IPV6;
		header->cmsg_type = IPV6_PKTINFO;
		header->cmsg_len = CMSG_LEN(sizeof(info6));
		message->msg_controllen = CMSG_SPACE(sizeof(info6));
		memcpy(CMSG_DATA(header), &info6, sizeof(info6));
	}
}

int dgram_answer(
	struct dgram_socket *from, const struct dgram *dgram, const void *data, size_t length)
{
	struct iovec part = {.iov_base = (void *)data, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	union control control;
	ssize_t sent;

	if (!from->connected) {
		message.msg_name = (void *)&dgram->source;
		message.msg_namelen = dgram->source_length;
		if (!IN6_IS_ADDR_UNSPECIFIED(&dgram->to))
			origin_write(&message, &control, from->family, dgram);
	}
	do
		sent = sendmsg(from->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -1 : 0;
}
