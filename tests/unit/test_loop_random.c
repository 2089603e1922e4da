/*
 * test_loop_random: watches at random, started, changed, stopped, closed and replaced inside
 * callbacks and outside, against what poll(2) says before each turn.
 *
 * Of a watch that the turn left alone, the loop must report exactly what was ready; of one that
 * was touched, nothing that was not, and nothing at all once it is another watch.
 */
#include "config.h"
#include "superd/loop.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/unit/loop_probe.h"

#define ITEMS 24
#define ROUNDS 3000

struct world;

/* One watched end of a socket pair. */
struct item {
	struct loop_watch watch; /* first */
	struct world *world;
	int peer;
	unsigned expected; /* what poll(2) said before this turn */
	unsigned calls;    /* in this turn */
	bool is_touched;   /* in this turn, since when `expected` is the most, not the least */
	bool is_new;       /* started in this turn */
};

struct world {
	struct loop *loop;
	struct item items[ITEMS];
	unsigned calls;
};

static unsigned random_below(unsigned limit)
{
	return (unsigned)random() % limit;
}

static void open_pair(struct item *item)
{
	int ends[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	item->watch.fd = ends[0];
	item->peer = ends[1];
}

static void close_pair(struct item *item)
{
	loop_watch_stop(item->world->loop, &item->watch);
	close(item->watch.fd);
	close(item->peer);
}

static void start(struct item *item)
{
	unsigned events = random_below(3) + 1;

	if (events == item->watch.events)
		return;
	item->is_touched = true;
	item->is_new |= item->watch.events == 0;
	assert_int_equal(loop_watch_start(item->world->loop, &item->watch, events, NULL), 0);
}

static void fill(int fd)
{
	char bytes[4096] = {0};

	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void drain(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void do_something(struct world *world)
{
	struct item *item = &world->items[random_below(ITEMS)];

	switch (random_below(8)) {
	case 0:
	case 1:
		start(item);
		break;
	case 2:
		item->is_touched = true;
		loop_watch_stop(world->loop, &item->watch);
		break;
	case 3: /* both numbers are free now: this one or the next takes them again */
		item->is_touched = true;
		close_pair(item);
		open_pair(item);
		break;
	case 4:
		assert_true(write(item->peer, "x", 1) != 0);
		break;
	case 5:
		drain(item->watch.fd);
		break;
	case 6:
		fill(item->watch.fd);
		break;
	case 7:
		drain(item->peer);
		break;
	}
}

/* Two at once lose their numbers, and get each other's. */
static void swap_numbers(struct world *world)
{
	struct item *one = &world->items[random_below(ITEMS)];
	struct item *two = &world->items[random_below(ITEMS)];

	if (one == two)
		return;
	one->is_touched = two->is_touched = true;
	close_pair(one);
	close_pair(two);
	open_pair(two);
	open_pair(one);
	start(one);
	start(two);
}

static void on_ready(struct loop_watch *watch, unsigned events)
{
	struct item *item = (struct item *)watch;
	struct world *world = item->world;

	assert_false(item->is_new);
	assert_int_not_equal(events, 0);
	assert_int_equal(events & ~watch->events, 0);
	assert_int_equal(events & ~item->expected, 0);
	if (!item->is_touched)
		assert_int_equal(events, item->expected & watch->events);
	assert_int_equal(item->calls, 0);
	item->calls++;
	world->calls++;
	for (unsigned i = random_below(4); i > 0; i--)
		do_something(world);
	if (random_below(8) == 0)
		swap_numbers(world);
}

static unsigned ask_poll(const struct item *item)
{
	struct pollfd poll_fd = {.fd = item->watch.fd, .events = POLLIN | POLLOUT};

	assert_true(poll(&poll_fd, 1, 0) >= 0);
	return ((poll_fd.revents & POLLIN) ? (unsigned)LOOP_READ : 0) |
	       ((poll_fd.revents & POLLOUT) ? (unsigned)LOOP_WRITE : 0);
}

static void do_round(struct world *world)
{
	for (unsigned i = random_below(10); i > 0; i--)
		do_something(world);
	for (int i = 0; i < ITEMS; i++) {
		struct item *item = &world->items[i];

		item->is_touched = item->is_new = false;
		item->calls = 0;
		item->expected = ask_poll(item);
	}
	probe_turn_at_once(world->loop);
	for (int i = 0; i < ITEMS; i++) {
		const struct item *item = &world->items[i];

		if (!item->is_touched)
			assert_int_equal(item->calls, (item->expected & item->watch.events) != 0);
	}
}

static struct world *make_world(enum loop_kind kind)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->loop = probe_loop(kind);
	for (int i = 0; i < ITEMS; i++) {
		world->items[i] = (struct item){.watch = {.ready_cb = on_ready}, .world = world};
		open_pair(&world->items[i]);
	}
	return world;
}

static void free_world(struct world *world)
{
	for (int i = 0; i < ITEMS; i++)
		close_pair(&world->items[i]);
	loop_free(world->loop);
	free(world);
}

static void seed_random(void)
{
	unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();

	print_message("seed %u\n", seed);
	srandom(seed);
}

static void run(enum loop_kind kind)
{
	struct world *world = make_world(kind);

	seed_random();
	for (int round = 0; round < ROUNDS; round++)
		do_round(world);
	assert_true(world->calls > ROUNDS);
	free_world(world);
}

static void test_select(void **unused)
{
	(void)unused;
	run(LOOP_SELECT);
}

static void test_epoll(void **unused)
{
	(void)unused;
	run(LOOP_EPOLL);
}

/* The move comes between two rounds; nothing else changes. */
static void test_moved(void **unused)
{
	struct world *world = make_world(LOOP_AUTO);
	struct loop_watch high = {.ready_cb = on_ready};

	(void)unused;
	if (!probe_allow_high()) {
		free_world(world);
		print_message("SKIP test_moved: no descriptor above FD_SETSIZE to be had\n");
		skip();
	}
	seed_random();
	for (int round = 0; round < ROUNDS / 2; round++)
		do_round(world);
	assert_int_equal(loop_kind(world->loop), LOOP_SELECT);
	high.fd = fcntl(world->items[0].peer, F_DUPFD_CLOEXEC, FD_SETSIZE);
	assert_int_equal(loop_watch_start(world->loop, &high, LOOP_READ, NULL), 0);
	loop_watch_stop(world->loop, &high);
	close(high.fd);
	assert_int_equal(loop_kind(world->loop), LOOP_EPOLL);
	for (int round = 0; round < ROUNDS / 2; round++)
		do_round(world);
	free_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_select),
		cmocka_unit_test(test_epoll),
		cmocka_unit_test(test_moved),
	};

	alarm(120); /* against hanging */
	return cmocka_run_group_tests_name("loop_random", tests, NULL, NULL);
}
