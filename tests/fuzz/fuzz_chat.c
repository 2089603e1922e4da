/*
 * fuzz_chat: what two clients of the room send, in any pieces and at any pace.
 *
 * The input is a series of pieces: a byte that says who speaks and how much time has passed, a
 * byte of length, and so many bytes.  Held against it: the speaker is sent answers only, the other
 * news and lines of the speaker only, and neither anything that is no printable line.
 */
#include "config.h"

#include "services/chatroom/printable.h"
#include "services/chatroom/talk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS INT64_C(1000000)

/* So large that it is never full and nothing is ever sent: the clients have no connection. */
#define QUEUE_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool holds)
{
	if (!holds)
		abort();
}

/* One line with its newline, NUL-terminated; addressed to who spoke, or to the other. */
static void line_hold(char *line, size_t length, bool speaker)
{
	char copy[ROOM_MESSAGE_SIZE + 1];
	char *colon;

	hold(length <= ROOM_MESSAGE_SIZE);
	memcpy(copy, line, length);
	copy[length - 1] = '\0';
	printable_replace(copy, length - 1);
	hold(memcmp(copy, line, length - 1) == 0);
	if (speaker) {
		hold(copy[0] == '(' && copy[length - 2] == ')');
	} else if (copy[0] != '*') {
		colon = strchr(copy, ':');
		hold(colon != NULL);
		*colon = '\0';
		hold(name_valid(copy));
	}
}

/* Takes and checks what is queued for a client. */
static void queue_hold(struct client *client, bool speaker)
{
	char line[ROOM_MESSAGE_SIZE + 1];
	size_t used = 0;

	while (client->queue.used > 0) {
		const char *bytes;
		size_t count = queue_peek(&client->queue, &bytes);

		for (size_t i = 0; i < count; i++) {
			hold(used < sizeof(line));
			line[used++] = bytes[i];
			if (bytes[i] != '\n')
				continue;
			line_hold(line, used, speaker);
			used = 0;
		}
		queue_drop(&client->queue, count);
	}
	hold(used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t steps_ms[] = {0, 1, 100, 5000};
	struct client *clients[2];
	struct room room;
	int64_t now = 0;

	hold(room_open(&room, 2, QUEUE_BYTES) == 0);
	for (size_t i = 0; i < 2; i++)
		clients[i] = room_join(&room, -1, -1, "nowhere", now);
	for (size_t i = 0; i < 2; i++)
		queue_drop(&clients[i]->queue, clients[i]->queue.used);
	while (size >= 2) {
		size_t speaker = data[0] & 1;
		size_t length = data[1] < size - 2 ? data[1] : size - 2;

		now += steps_ms[data[0] >> 1 & 3] * NS_PER_MS;
		talk_hear(&room, clients[speaker], (const char *)data + 2, length, now);
		data += 2 + length;
		size -= 2 + length;
		queue_hold(clients[speaker], true);
		queue_hold(clients[1 - speaker], false);
		hold(!name_same(clients[0]->name, clients[1]->name) ||
			clients[0]->end != CLIENT_HERE || clients[1]->end != CLIENT_HERE);
	}
	talk_end(&room, clients[0], now);
	queue_hold(clients[0], true);
	queue_hold(clients[1], false);
	hold(clients[0]->end == CLIENT_LEAVES);
	room_free(&room);
	return 0;
}
