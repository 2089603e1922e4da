/*
 * load: connects, reads to the end of file, connects again, with a number of clients at once for
 * some seconds, and prints how many such cycles were completed and how long they took.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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
#define PATIENCE_S 5 /* after the end of the measurement, for what is under way */

struct client {
	int fd; /* -1: between two connections */
	int64_t began_ns;
	bool got_bytes;
};

struct load {
	struct sockaddr_in server;
	struct sockaddr_in source; /* port 0; family 0 where none was asked for */
	size_t client_count;
	double seconds;
	int epoll_fd;
	struct client *clients;
	int64_t end_ns;
	size_t active;
	uint64_t failed;
	uint32_t *times_us;
	size_t completed;
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
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void note_time(struct load *load, int64_t time_ns)
{
	if (load->completed == load->capacity) {
		load->capacity = load->capacity != 0 ? 2 * load->capacity : 65536;
		load->times_us = realloc(load->times_us, load->capacity * sizeof(uint32_t));
		if (load->times_us == NULL)
			fail("memory");
	}
	load->times_us[load->completed++] = (uint32_t)(time_ns / 1000);
}

/* Starts a connection; one that cannot be started counts as failed and is tried at the next turn.
 */
static void client_start(struct load *load, struct client *client)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = client};
	/* Close by reset: no TIME_WAIT of one round may burden the next one. */
	static const struct linger reset = {.l_onoff = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (load->source.sin_family != 0 &&
		bind(fd, (const struct sockaddr *)&load->source, sizeof(load->source)) != 0)
		fail("bind");
	client->began_ns = now_ns();
	client->got_bytes = false;
	if (connect(fd, (const struct sockaddr *)&load->server, sizeof(load->server)) != 0 &&
		errno != EINPROGRESS) {
		load->failed++;
		close(fd);
		return;
	}
	if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("epoll_ctl");
	client->fd = fd;
	load->active++;
}

static void client_end(struct load *load, struct client *client, bool good)
{
	int64_t now = now_ns();

	close(client->fd);
	client->fd = -1;
	load->active--;
	if (now >= load->end_ns)
		return;
	if (good)
		note_time(load, now - client->began_ns);
	else
		load->failed++;
	client_start(load, client);
}

/* A cycle is complete when at least one byte has come and then an orderly end of file. */
static void client_read(struct load *load, struct client *client)
{
	char buffer[16384];
	ssize_t got;

	while ((got = read(client->fd, buffer, sizeof(buffer))) > 0)
		client->got_bytes = true;
	if (got == 0)
		client_end(load, client, client->got_bytes);
	else if (errno != EAGAIN && errno != EINTR)
		client_end(load, client, false);
}

static void load_run(struct load *load)
{
	struct epoll_event events[MAX_EVENTS];
	int count;

	load->end_ns = now_ns() + (int64_t)(load->seconds * (double)NS_PER_S);
	while (now_ns() < load->end_ns || load->active > 0) {
		if (now_ns() > load->end_ns + PATIENCE_S * NS_PER_S)
			break;
		for (size_t i = 0; now_ns() < load->end_ns && i < load->client_count; i++) {
			if (load->clients[i].fd < 0)
				client_start(load, &load->clients[i]);
		}
		count = epoll_wait(load->epoll_fd, events, MAX_EVENTS, 100);
		for (int i = 0; i < count; i++)
			client_read(load, events[i].data.ptr);
	}
}

static int compare_times(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one;
	uint32_t b = *(const uint32_t *)other;

	return (a > b) - (a < b);
}

static void load_print(struct load *load)
{
	size_t count = load->completed;

	if (count > 0)
		qsort(load->times_us, count, sizeof(uint32_t), compare_times);
	printf("{\"completed\": %zu, \"failed\": %llu, \"hanging\": %zu, \"rate\": %.1f, "
	       "\"p50_us\": %u, \"p99_us\": %u}\n",
		count, (unsigned long long)load->failed, load->active,
		(double)count / load->seconds, count > 0 ? load->times_us[count / 2] : 0,
		count > 0 ? load->times_us[count * 99 / 100] : 0);
}

static _Noreturn void usage(void)
{
	fputs("usage: load [-c CLIENTS] [-t SECONDS] [-s SOURCE] ADDRESS PORT\n", stderr);
	exit(2);
}

static void parse_options(struct load *load, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:t:s:")) != -1) {
		if (option == 'c')
			load->client_count = strtoul(optarg, NULL, 10);
		else if (option == 't')
			load->seconds = strtod(optarg, NULL);
		else if (option != 's' || inet_pton(AF_INET, optarg, &load->source.sin_addr) != 1)
			usage();
		else
			load->source.sin_family = AF_INET;
	}
	if (optind != argc - 2 || load->client_count == 0 || load->seconds <= 0)
		usage();
	load->server.sin_family = AF_INET;
	load->server.sin_port = htons((uint16_t)strtoul(argv[optind + 1], NULL, 10));
	if (inet_pton(AF_INET, argv[optind], &load->server.sin_addr) != 1)
		usage();
}

int main(int argc, char **argv)
{
	struct load load = {.client_count = 16, .seconds = 2};

	parse_options(&load, argc, argv);
	load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load.clients = calloc(load.client_count, sizeof(*load.clients));
	if (load.epoll_fd < 0 || load.clients == NULL)
		fail("start");
	for (size_t i = 0; i < load.client_count; i++)
		load.clients[i].fd = -1;
	load_run(&load);
	load_print(&load);
	free(load.times_us);
	free(load.clients);
	return 0;
}
