/*
 * crowd: many sources that connect to one port, each at its own pace, and how long they waited
 * for the first byte (or, from who sends none, for the end of file).
 *
 *     crowd [-s FIRST_SOURCE] [-n SOURCES] [-r RATE] [-w WINDOW] [-x] [-t SECONDS] [-c COUNT]
 *           ADDRESS PORT
 *
 * -r is connections a second for each source; without it all sources together are as fast as the
 * machine goes, with WINDOW connections open at once: a flood. -x closes each right after its
 * connect(2), as a flood does that wants no answer. It ends after SECONDS or COUNT connections,
 * or when it gets SIGTERM.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 256
#define NS_PER_S INT64_C(1000000000)
#define PATIENCE_S 10 /* after the end, for what is under way */

struct client {
	int fd;
	struct client *next; /* in the list of the free */
	int64_t began_ns;
	bool got_bytes;
};

struct crowd {
	struct sockaddr_in server;
	struct sockaddr_in source; /* the first one, port 0; family 0: none was asked for */
	uint32_t source_count;
	double rate; /* of each source; 0: no limit */
	size_t window;
	bool hasty;
	double seconds;
	uint64_t count;
	int epoll_fd;
	struct client *clients;
	struct client *free;
	size_t open;
	uint64_t begun;
	uint64_t served; /* a byte and an orderly end */
	uint64_t closed; /* an orderly end without a byte */
	uint64_t reset;
	uint64_t failed; /* no connection */
	uint32_t *times_us;
	size_t times;
	size_t capacity;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void note_time(struct crowd *crowd, const struct client *client)
{
	if (crowd->times == crowd->capacity) {
		crowd->capacity = crowd->capacity != 0 ? 2 * crowd->capacity : 65536;
		crowd->times_us = realloc(crowd->times_us, crowd->capacity * sizeof(uint32_t));
		if (crowd->times_us == NULL)
			fail("memory");
	}
	crowd->times_us[crowd->times++] = (uint32_t)((now_ns() - client->began_ns) / 1000);
}

/* A socket of the source whose turn it is. */
static int source_socket(const struct crowd *crowd)
{
	/* Close by reset: no TIME_WAIT of one round may burden the next one. */
	static const struct linger reset = {.l_onoff = 1};
	struct sockaddr_in source = crowd->source;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (source.sin_family == 0)
		return fd;
	source.sin_addr.s_addr = htonl(
		ntohl(source.sin_addr.s_addr) + (uint32_t)(crowd->begun % crowd->source_count));
	/* the port is chosen by connect(2), where the other end tells connections apart */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&source, sizeof(source)) != 0)
		fail("bind");
	return fd;
}

static void client_start(struct crowd *crowd)
{
	struct client *client = crowd->free;
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = client};
	int fd = source_socket(crowd);

	crowd->begun++;
	client->began_ns = now_ns();
	client->got_bytes = false;
	if (connect(fd, (const struct sockaddr *)&crowd->server, sizeof(crowd->server)) != 0 &&
		errno != EINPROGRESS) {
		crowd->failed++;
		close(fd);
		return;
	}
	if (crowd->hasty) {
		close(fd);
		return;
	}
	if (epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("epoll_ctl");
	client->fd = fd;
	crowd->free = client->next;
	crowd->open++;
}

static void client_end(struct crowd *crowd, struct client *client)
{
	close(client->fd);
	client->next = crowd->free;
	crowd->free = client;
	crowd->open--;
}

static void client_read(struct crowd *crowd, struct client *client)
{
	char buffer[16384];
	ssize_t got;

	while ((got = read(client->fd, buffer, sizeof(buffer))) > 0) {
		if (!client->got_bytes)
			note_time(crowd, client);
		client->got_bytes = true;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got < 0) {
		if (errno == ECONNRESET)
			crowd->reset++;
		else
			crowd->failed++;
	} else if (client->got_bytes) {
		crowd->served++;
	} else {
		note_time(crowd, client);
		crowd->closed++;
	}
	client_end(crowd, client);
}

/* Starts what is due by now, and says in how many milliseconds the next one will be. */
static int crowd_start_due(struct crowd *crowd, int64_t began_ns)
{
	double pace = crowd->rate * crowd->source_count;
	int64_t now = now_ns();
	int64_t due_ns;

	while (crowd->free != NULL && crowd->begun < crowd->count) {
		if (pace <= 0 && crowd->hasty && now_ns() - now > NS_PER_S / 100)
			return 0;
		due_ns = pace > 0 ? began_ns + (int64_t)((double)crowd->begun / pace * NS_PER_S)
				  : now;
		if (due_ns > now)
			return (int)((due_ns - now) / 1000000) + 1;
		client_start(crowd);
	}
	return 100;
}

/* SIGTERM is blocked and stays pending. */
static bool told_to_end(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

static void crowd_run(struct crowd *crowd)
{
	struct epoll_event events[MAX_EVENTS];
	int64_t began_ns = now_ns();
	int64_t end_ns = began_ns + (int64_t)(crowd->seconds * (double)NS_PER_S);
	int64_t give_up_ns = INT64_MAX;
	int64_t now = began_ns;
	int wait_ms;
	int count;

	while (now < give_up_ns) {
		wait_ms = 100;
		if (now < end_ns && crowd->begun < crowd->count && !told_to_end())
			wait_ms = crowd_start_due(crowd, began_ns);
		else if (crowd->open == 0)
			break;
		else if (give_up_ns == INT64_MAX)
			give_up_ns = now + PATIENCE_S * NS_PER_S;
		count = epoll_wait(crowd->epoll_fd, events, MAX_EVENTS, wait_ms);
		for (int i = 0; i < count; i++)
			client_read(crowd, events[i].data.ptr);
		now = now_ns();
	}
	crowd->seconds = (double)(now - began_ns) / (double)NS_PER_S;
}

static int compare_times(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one;
	uint32_t b = *(const uint32_t *)other;

	return a < b ? -1 : a > b;
}

static unsigned crowd_quantile(const struct crowd *crowd, double part)
{
	size_t at = (size_t)((double)crowd->times * part);

	if (crowd->times == 0)
		return 0;
	return crowd->times_us[at < crowd->times ? at : crowd->times - 1];
}

static void crowd_print(const struct crowd *crowd)
{
	if (crowd->times > 0)
		qsort(crowd->times_us, crowd->times, sizeof(uint32_t), compare_times);
	printf("{\"begun\": %llu, \"served\": %llu, \"closed\": %llu, \"reset\": %llu, "
	       "\"failed\": %llu, \"hanging\": %zu, \"seconds\": %.3f, "
	       "\"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u}\n",
		(unsigned long long)crowd->begun, (unsigned long long)crowd->served,
		(unsigned long long)crowd->closed, (unsigned long long)crowd->reset,
		(unsigned long long)crowd->failed, crowd->open, crowd->seconds,
		crowd_quantile(crowd, 0.5), crowd_quantile(crowd, 0.99), crowd_quantile(crowd, 1));
}

static _Noreturn void usage(void)
{
	fputs("usage: crowd [-s FIRST_SOURCE] [-n SOURCES] [-r RATE] [-w WINDOW] [-x] "
	      "[-t SECONDS] [-c COUNT] ADDRESS PORT\n",
		stderr);
	exit(2);
}

static void parse_option(struct crowd *crowd, int option)
{
	switch (option) {
	case 's':
		crowd->source.sin_family = AF_INET;
		if (inet_pton(AF_INET, optarg, &crowd->source.sin_addr) != 1)
			usage();
		break;
	case 'n':
		crowd->source_count = (uint32_t)strtoul(optarg, NULL, 10);
		break;
	case 'r':
		crowd->rate = strtod(optarg, NULL);
		break;
	case 'w':
		crowd->window = strtoul(optarg, NULL, 10);
		break;
	case 'x':
		crowd->hasty = true;
		break;
	case 't':
		crowd->seconds = strtod(optarg, NULL);
		break;
	case 'c':
		crowd->count = strtoull(optarg, NULL, 10);
		break;
	default:
		usage();
	}
}

static void parse_options(struct crowd *crowd, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "s:n:r:w:xt:c:")) != -1)
		parse_option(crowd, option);
	if (optind != argc - 2 || crowd->window == 0 || crowd->source_count == 0)
		usage();
	crowd->server.sin_family = AF_INET;
	crowd->server.sin_port = htons((uint16_t)strtoul(argv[optind + 1], NULL, 10));
	if (inet_pton(AF_INET, argv[optind], &crowd->server.sin_addr) != 1)
		usage();
}

int main(int argc, char **argv)
{
	struct crowd crowd = {
		.source_count = 1, .window = 256, .seconds = 1e6, .count = UINT64_MAX};
	sigset_t term;

	parse_options(&crowd, argc, argv);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	crowd.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	crowd.clients = calloc(crowd.window, sizeof(*crowd.clients));
	if (crowd.epoll_fd < 0 || crowd.clients == NULL)
		fail("start");
	for (size_t i = 0; i < crowd.window; i++) {
		crowd.clients[i].next = crowd.free;
		crowd.free = &crowd.clients[i];
	}
	crowd_run(&crowd);
	crowd_print(&crowd);
	free(crowd.times_us);
	free(crowd.clients);
	return 0;
}
