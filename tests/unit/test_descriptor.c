/*
 * test_descriptor: blocking, and the orderly close.
 */
#include "config.h"
#include "superd/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static void test_blocking(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(descriptor_set_blocking(ends[0], false), 0);
	assert_true(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(descriptor_set_blocking(ends[0], true), 0);
	assert_false(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	close(ends[0]);
	close(ends[1]);
}

/* A connected pair over TCP, where an unread byte would turn close into a reset. */
static void tcp_pair(int *client, int *server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	*client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*client, (struct sockaddr *)&address, length), 0);
	*server = accept(listener, NULL, NULL);
	assert_true(*server >= 0);
	close(listener);
}

static void test_orderly_close(void **state)
{
	char data[8192] = {0};
	int client;
	int server;

	(void)state;
	tcp_pair(&client, &server);
	assert_int_equal(write(client, data, sizeof(data)), sizeof(data));
	descriptor_close_orderly(server, "bye\n");
	assert_int_equal(read(client, data, sizeof(data)), 4);
	assert_memory_equal(data, "bye\n", 4);
	assert_int_equal(read(client, data, sizeof(data)), 0); /* end of file, no ECONNRESET */
	close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocking),
		cmocka_unit_test(test_orderly_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
