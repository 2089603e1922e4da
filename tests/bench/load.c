/*
 * load: connects, reads to the end of file, connects again, and prints as one JSON object how many
 * such cycles were completed and how long they took.
 *
 * Two ways: a number of clients at once, each starting its next connection as soon as the last one
 * is over (-c); or a fixed number of new connections a second (-r), whose times count from the
 * moment each was due, so that a server that falls behind cannot hide it by slowing its clients
 * down.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 256
#define NS_PER_S INT64_C(1000000000)
#define TURN_NS (NS_PER_S / 10)
#define PATIENCE_S 5 /* after the end of the measurement, for what is under way */
#define CLIENTS 16
#define CLIENTS_FIXED_RATE 4096

struct client {
	int fd; /* -1: between two connections */
	int64_t began_ns;
	int64_t first_ns; /* of the first byte; 0 before it */
};

struct samples {
	int64_t *ns;
	size_t count;
	size_t capacity;
};

struct load {
	struct sockaddr_in server;
	struct in_addr source; /* the first of source_count addresses in a row */
	size_t source_count;   /* 0: the kernel's choice */
	size_t client_count;
	double rate; /* connections a second; 0: as many as there are clients for */
	double seconds;
	int epoll_fd;
	struct client *clients;
	struct client **idle; /* a stack of those between two connections */
	size_t idle_count;
	int64_t begin_ns;
	int64_t end_ns;
	size_t started;
	size_t due; /* with a rate: connections to start in all */
	size_t delayed;
	size_t failed;
	struct samples first;
	struct samples cycle;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void samples_add(struct samples *samples, int64_t ns)
{
	if (samples->count == samples->capacity) {
		samples->capacity = samples->capacity != 0 ? 2 * samples->capacity : 65536;
		samples->ns = realloc(samples->ns, samples->capacity * sizeof(samples->ns[0]));
		if (samples->ns == NULL)
			fail("memory");
	}
	samples->ns[samples->count++] = ns;
}

static size_t load_active(const struct load *load)
{
	return load->client_count - load->idle_count;
}

/* Each connection comes from the next address. The port is chosen at connect, so that the pair of
   addresses limits it and not the one. */
static void load_bind(struct load *load, int fd)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	int on = 1;

	if (load->source_count == 0)
		return;
	source.sin_addr.s_addr =
		htonl(ntohl(load->source.s_addr) + (uint32_t)(load->started % load->source_count));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&source, sizeof(source)) != 0)
		fail("bind");
}

/* Starts a connection. due_ns is when it should have been; 0: now. */
static void client_start(struct load *load, int64_t due_ns)
{
	/* Close by reset: no TIME_WAIT of one round may burden the next one. */
	static const struct linger reset = {.l_onoff = 1};
	struct client *client = load->idle[--load->idle_count];
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = client};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	load_bind(load, fd);
	load->started++;
	client->fd = fd;
	client->first_ns = 0;
	client->began_ns = due_ns != 0 ? due_ns : now_ns();
	if (connect(fd, (const struct sockaddr *)&load->server, sizeof(load->server)) != 0 &&
		errno != EINPROGRESS) {
		load->failed++;
		close(fd);
		client->fd = -1;
		load->idle[load->idle_count++] = client;
		return;
	}
	if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("epoll_ctl");
}

/*
 * With a number of clients only what ends within the measurement counts, and what failed; with a
 * rate every connection does, however late.
 */
static void client_end(struct load *load, struct client *client, bool good)
{
	int64_t now = now_ns();

	close(client->fd);
	client->fd = -1;
	load->idle[load->idle_count++] = client;
	if (load->rate <= 0 && now >= load->end_ns)
		return;
	if (good) {
		samples_add(&load->first, client->first_ns - client->began_ns);
		samples_add(&load->cycle, now - client->began_ns);
	} else {
		load->failed++;
	}
	if (load->rate <= 0)
		client_start(load, 0);
}

/* A cycle is complete when at least one byte has come and then an orderly end of file. */
static void client_read(struct load *load, struct client *client)
{
	char buffer[16384];
	ssize_t got;

	while ((got = read(client->fd, buffer, sizeof(buffer))) > 0) {
		if (client->first_ns == 0)
			client->first_ns = now_ns();
	}
	if (got == 0)
		client_end(load, client, client->first_ns != 0);
	else if (errno != EAGAIN && errno != EINTR)
		client_end(load, client, false);
}

/* Starts what is due and returns how long to wait for events. */
static int64_t load_start(struct load *load)
{
	int64_t now = now_ns();

	if (load->rate <= 0) {
		/* Only what could not be started at once is left here: once a turn. */
		for (size_t i = load->idle_count; now < load->end_ns && i > 0; i--)
			client_start(load, 0);
		return TURN_NS;
	}
	while (load->started < load->due) {
		int64_t due_ns = load->begin_ns +
				 (int64_t)((double)load->started / load->rate * (double)NS_PER_S);

		if (due_ns > now)
			return due_ns - now < TURN_NS ? due_ns - now : TURN_NS;
		if (load->idle_count == 0) {
			load->delayed++;
			return TURN_NS;
		}
		client_start(load, due_ns);
		now = now_ns();
	}
	return TURN_NS;
}

static bool load_over(const struct load *load)
{
	int64_t now = now_ns();

	if (now > load->end_ns + PATIENCE_S * NS_PER_S)
		return true;
	if (load->rate > 0)
		return load->started == load->due && load_active(load) == 0;
	return now >= load->end_ns && load_active(load) == 0;
}

static void load_run(struct load *load)
{
	struct epoll_event events[MAX_EVENTS];

	load->begin_ns = now_ns();
	load->end_ns = load->begin_ns + (int64_t)(load->seconds * (double)NS_PER_S);
	load->due = (size_t)(load->rate * load->seconds);
	while (!load_over(load)) {
		int64_t wait_ns = load_start(load);
		struct timespec wait = {.tv_nsec = wait_ns};
		int count = epoll_pwait2(load->epoll_fd, events, MAX_EVENTS, &wait, NULL);

		if (count < 0 && errno != EINTR)
			fail("epoll_pwait2 (Linux 5.11)");
		for (int i = 0; i < count; i++)
			client_read(load, events[i].data.ptr);
	}
}

static int compare_ns(const void *one, const void *other)
{
	int64_t a = *(const int64_t *)one;
	int64_t b = *(const int64_t *)other;

	return (a > b) - (a < b);
}

/* The samples are sorted. */
static double samples_us(const struct samples *samples, double part)
{
	size_t index = (size_t)((double)samples->count * part);

	if (samples->count == 0)
		return 0;
	return (double)samples->ns[index < samples->count ? index : samples->count - 1] / 1000;
}

static void samples_print(const char *name, struct samples *samples)
{
	if (samples->count > 0)
		qsort(samples->ns, samples->count, sizeof(samples->ns[0]), compare_ns);
	printf("\"%s\": {\"p50_us\": %.1f, ", name, samples_us(samples, 0.5));
	printf("\"p99_us\": %.1f, ", samples_us(samples, 0.99));
	printf("\"p999_us\": %.1f, ", samples_us(samples, 0.999));
	printf("\"max_us\": %.1f}, ", samples_us(samples, 1));
}

static double time_us(struct timeval time)
{
	return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}

/* rate is what was completed in the time asked for. */
static void load_print(struct load *load)
{
	struct rusage own;

	getrusage(RUSAGE_SELF, &own);
	printf("{\"completed\": %zu, \"failed\": %zu, \"hanging\": %zu, \"delayed\": %zu, ",
		load->cycle.count, load->failed, load_active(load), load->delayed);
	samples_print("first", &load->first);
	samples_print("cycle", &load->cycle);
	printf("\"own_cpu_us\": %.0f, \"rate\": %.1f}\n",
		time_us(own.ru_utime) + time_us(own.ru_stime),
		(double)load->cycle.count / load->seconds);
}

static _Noreturn void usage(void)
{
	fputs("usage: load [-c CLIENTS] [-r RATE] [-t SECONDS] [-s SOURCE [-n ADDRESSES]] "
	      "ADDRESS PORT\n",
		stderr);
	exit(2);
}

static void parse_options(struct load *load, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:n:r:s:t:")) != -1) {
		if (option == 'c')
			load->client_count = strtoul(optarg, NULL, 10);
		else if (option == 'n')
			load->source_count = strtoul(optarg, NULL, 10);
		else if (option == 'r')
			load->rate = strtod(optarg, NULL);
		else if (option == 't')
			load->seconds = strtod(optarg, NULL);
		else if (option != 's' || inet_pton(AF_INET, optarg, &load->source) != 1)
			usage();
	}
	if (load->client_count == 0)
		load->client_count = load->rate > 0 ? CLIENTS_FIXED_RATE : CLIENTS;
	if (load->source_count == 0 && load->source.s_addr != 0)
		load->source_count = 1;
	if (optind != argc - 2 || load->seconds <= 0 || load->rate < 0 ||
		(load->source_count > 0 && load->source.s_addr == 0))
		usage();
	load->server.sin_family = AF_INET;
	load->server.sin_port = htons((uint16_t)strtoul(argv[optind + 1], NULL, 10));
	if (inet_pton(AF_INET, argv[optind], &load->server.sin_addr) != 1)
		usage();
}

int main(int argc, char **argv)
{
	struct load load = {.seconds = 2};

	parse_options(&load, argc, argv);
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* or timers would be 50 us late */
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load.clients = calloc(load.client_count, sizeof(*load.clients));
	load.idle = calloc(load.client_count, sizeof(*load.idle));
	if (load.epoll_fd < 0 || load.clients == NULL || load.idle == NULL)
		fail("start");
	while (load.idle_count < load.client_count) {
		load.clients[load.idle_count].fd = -1;
		load.idle[load.idle_count] = &load.clients[load.idle_count];
		load.idle_count++;
	}
	load_run(&load);
	load_print(&load);
	free(load.first.ns);
	free(load.cycle.ns);
	free(load.idle);
	free(load.clients);
	return 0;
}
