/*
 * Tests of services/chatroom/talk and room: a room whose clients are socket pairs and whose time
 * stands still unless it is moved.
 */
#include "config.h"

#include "services/chatroom/talk.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define S INT64_C(1000000000)
#define PEOPLE 4

struct stage {
	struct room room;
	int64_t now;
	struct client *clients[PEOPLE]; /* dangling once they have left */
	int ends[PEOPLE];               /* the clients' own sockets */
};

static void stage_add(struct stage *stage, size_t index)
{
	static const int buffer = 4608;
	char address[16];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	snprintf(address, sizeof(address), "address%zu", index + 1);
	stage->ends[index] = pair[0];
	stage->clients[index] = room_join(&stage->room, pair[1], pair[1], address, stage->now);
	assert_non_null(stage->clients[index]);
}

static int stage_begin(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	stage->now = 100 * S;
	assert_int_equal(room_open(&stage->room, PEOPLE, 8192), 0);
	for (size_t i = 0; i < 2; i++)
		stage_add(stage, i);
	for (size_t i = 2; i < PEOPLE; i++)
		stage->ends[i] = -1;
	*state = stage;
	return 0;
}

static int stage_end(void **state)
{
	struct stage *stage = *state;

	room_free(&stage->room);
	for (size_t i = 0; i < PEOPLE; i++)
		if (stage->ends[i] >= 0)
			close(stage->ends[i]);
	free(stage);
	return 0;
}

static void says(struct stage *stage, size_t index, const char *bytes)
{
	talk_hear(&stage->room, stage->clients[index], bytes, strlen(bytes), stage->now);
}

/* What the client has been sent since the last time. */
static const char *heard(struct stage *stage, size_t index)
{
	static char text[65536];
	ssize_t got;

	room_sweep(&stage->room, stage->now);
	got = recv(stage->ends[index], text, sizeof(text) - 1, MSG_DONTWAIT);
	text[got > 0 ? got : 0] = '\0';
	return text;
}

static void the_greetings(struct stage *stage)
{
	assert_string_equal(heard(stage, 0), "Your address: address1\n* guest2 joined\n");
	assert_string_equal(heard(stage, 1), "Your address: address2\n");
}

static void a_line_goes_to_all_others(void **state)
{
	struct stage *stage = *state;

	the_greetings(stage);
	says(stage, 0, "hel");
	assert_string_equal(heard(stage, 1), "");
	says(stage, 0, "lo\nand");
	assert_string_equal(heard(stage, 0), "(OK)\n");
	assert_string_equal(heard(stage, 1), "guest1: hello\n");
	talk_end(&stage->room, stage->clients[0], stage->now);
	assert_string_equal(heard(stage, 0), "(OK)\n");
	assert_string_equal(heard(stage, 1), "guest1: and\n* guest1 left\n");
	assert_int_equal(stage->room.count, 1);
}

static void the_longest_line_comes_whole(void **state)
{
	struct stage *stage = *state;
	char line[INPUT_MAX_LENGTH + 2], message[ROOM_MESSAGE_SIZE + 1];

	the_greetings(stage);
	says(stage, 0, "/nick abcdefghijklmnop\n");
	assert_string_equal(heard(stage, 1), "* guest1 is now abcdefghijklmnop\n");
	memset(line, 'x', INPUT_MAX_LENGTH);
	strcpy(line + INPUT_MAX_LENGTH, "\n");
	says(stage, 0, line);
	snprintf(message, sizeof(message), "abcdefghijklmnop: %s", line);
	assert_string_equal(heard(stage, 1), message);
	/* The answer to a command of that length is no longer than a message, either. */
	line[0] = '/';
	heard(stage, 0);
	says(stage, 0, line);
	assert_true(strlen(heard(stage, 0)) < ROOM_MESSAGE_SIZE);
}

static void a_full_room_lets_nobody_in(void **state)
{
	struct stage *stage = *state;
	int fd;

	for (size_t i = 2; i < PEOPLE; i++)
		stage_add(stage, i);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	errno = EIO;
	assert_null(room_join(&stage->room, fd, fd, "late", stage->now));
	assert_int_equal(errno, 0);
	assert_int_equal(room_here(&stage->room), PEOPLE);
	says(stage, 1, "/quit\n");
	room_sweep(&stage->room, stage->now);
	assert_int_equal(room_here(&stage->room), PEOPLE - 1);
	/* The room owns it from here on. */
	assert_non_null(room_join(&stage->room, fd, fd, "late", stage->now));
}

static void names_are_found(void **state)
{
	struct stage *stage = *state;

	assert_ptr_equal(room_find(&stage->room, "GUEST1"), stage->clients[0]);
	assert_null(room_find(&stage->room, "guest3"));
	says(stage, 0, "/nick guest3\n");
	stage_add(stage, 2);
	assert_string_equal(stage->clients[2]->name, "guest4");
	/* Who leaves is not to be found although there is something to send to it yet. */
	says(stage, 0, "/quit\n");
	assert_null(room_find(&stage->room, "guest3"));
	assert_int_equal(room_here(&stage->room), 2);
}

static void the_rate_is_told_once(void **state)
{
	struct stage *stage = *state;

	the_greetings(stage);
	for (int i = 0; i < 30; i++)
		says(stage, 0, "\n");
	assert_string_equal(strstr(heard(stage, 0), "(too"),
		"(too fast: more than 10 lines a second are dropped)\n");
	says(stage, 0, "dropped\n/who\n");
	assert_string_equal(heard(stage, 0), "");
	stage->now += S / 10;
	says(stage, 0, "heard\ndropped\n/quit\n");
	assert_string_equal(heard(stage, 0), "(OK)\n(bye)\n");
}

/* A client that takes nothing is found slow exactly when its queue is full. */
static void the_slow_one_goes(void **state)
{
	struct stage *stage = *state;
	char line[1001];
	unsigned said = 0;

	the_greetings(stage);
	memset(line, 'x', sizeof(line) - 2);
	strcpy(line + sizeof(line) - 2, "\n");
	while (stage->clients[1]->end == CLIENT_HERE) {
		stage->now += S;
		says(stage, 0, line);
		if (stage->clients[1]->end == CLIENT_HERE)
			assert_string_equal(heard(stage, 0), "(OK)\n");
		assert_true(++said < 100);
	}
	assert_int_equal(stage->clients[1]->end, CLIENT_SLOW);
	assert_true(queue_space(&stage->clients[1]->queue) < sizeof("guest1: ") - 1 + 1000);
	assert_true(said > 8192 / 1008);
	assert_string_equal(heard(stage, 0), "(OK)\n* guest2 left\n");
	assert_int_equal(stage->room.count, 1);
}

static void leaving_takes_a_bounded_time(void **state)
{
	struct stage *stage = *state;
	char line[1001];

	memset(line, 'x', sizeof(line) - 2);
	strcpy(line + sizeof(line) - 2, "\n");
	for (int i = 0; i < 9; i++)
		says(stage, 0, line);
	room_sweep(&stage->room, stage->now);
	assert_true(stage->clients[1]->blocked);
	assert_int_equal(room_due_ns(&stage->room), 0);
	says(stage, 1, "/quit\n");
	room_sweep(&stage->room, stage->now);
	assert_int_equal(stage->room.count, 2);
	assert_int_equal(room_due_ns(&stage->room), stage->now + ROOM_FLUSH_NS);
	stage->now += ROOM_FLUSH_NS - 1;
	room_sweep(&stage->room, stage->now);
	assert_int_equal(stage->room.count, 2);
	stage->now += 1;
	room_sweep(&stage->room, stage->now);
	assert_int_equal(stage->room.count, 1);
}

/* The room is patient with those who lag as long as they read at all. */
static void patience_ends(void **state)
{
	struct stage *stage = *state;
	char line[1001];

	memset(line, 'x', sizeof(line) - 2);
	strcpy(line + sizeof(line) - 2, "\n");
	assert_int_equal(room_patience_ns(&stage->room, stage->now), 0);
	for (int i = 0; i < 20 && room_patience_ns(&stage->room, stage->now) == 0; i++) {
		says(stage, 0, line);
		room_sweep(&stage->room, stage->now);
	}
	assert_int_equal(stage->clients[1]->end, CLIENT_HERE);
	assert_true(room_patience_ns(&stage->room, stage->now) > 0);
	assert_true(room_patience_ns(&stage->room, stage->now) < S / 10);
	assert_int_equal(room_patience_ns(&stage->room, stage->now + S), 0);
}

static void closing_says_farewell(void **state)
{
	struct stage *stage = *state;

	the_greetings(stage);
	room_close(&stage->room, stage->now);
	assert_null(room_join(&stage->room, -1, -1, "late", stage->now));
	says(stage, 0, "not heard\n");
	assert_string_equal(heard(stage, 0), "* the channel is closing\n");
	assert_string_equal(heard(stage, 1), "* the channel is closing\n");
	assert_int_equal(stage->room.count, 0);
	assert_int_equal(read(stage->ends[0], (char[1]){0}, 1), 0);
}

static void a_vanished_client_left(void **state)
{
	struct stage *stage = *state;

	the_greetings(stage);
	close(stage->ends[1]);
	stage->ends[1] = -1;
	says(stage, 0, "anybody?\n");
	assert_string_equal(heard(stage, 0), "(OK)\n* guest2 left\n");
	assert_int_equal(stage->room.count, 1);
}

static void ends_have_names(void **state)
{
	(void)state;
	assert_string_equal(client_end_name(CLIENT_HERE), "here");
	assert_string_equal(client_end_name(CLIENT_LEAVES), "leaves");
	assert_string_equal(client_end_name(CLIENT_GONE), "gone");
	assert_string_equal(client_end_name(CLIENT_SLOW), "slow");
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, stage_begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGE(a_line_goes_to_all_others),
		ON_STAGE(the_longest_line_comes_whole),
		ON_STAGE(a_full_room_lets_nobody_in),
		ON_STAGE(names_are_found),
		ON_STAGE(the_rate_is_told_once),
		ON_STAGE(the_slow_one_goes),
		ON_STAGE(leaving_takes_a_bounded_time),
		ON_STAGE(patience_ends),
		ON_STAGE(closing_says_farewell),
		ON_STAGE(a_vanished_client_left),
		cmocka_unit_test(ends_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
