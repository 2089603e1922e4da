/*
 * serve_datagrams: the loop of a datagram service.
 */
#include "config.h"

#include "services/lib/serve_datagrams.h"
#include "services/lib/dgram.h"
#include "services/lib/io.h"
#include "services/lib/note.h"
#include "services/lib/peer.h"
#include "services/lib/text.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/* So many errors in a row are no longer the network's: the socket is broken. */
#define MAX_FAILURES 1000

/* Refused datagrams that no line has told of yet. */
struct refusals {
	unsigned long count;
	time_t told_s;     /* monotonic; 0: never */
	struct dgram last; /* of those counted */
	enum dgram_verdict last_verdict;
};

static void refusals_tell(struct refusals *refusals)
{
	char source[PEER_TEXT_SIZE], count[TEXT_NUMBER_SIZE];
	struct peer peer;
	struct text text;

	if (refusals->count == 0)
		return;
	peer_set(&peer, (const struct sockaddr *)&refusals->last.source,
		refusals->last.source_length);
	peer_format(&peer, source);
	text_begin(&text, count, sizeof(count));
	text_add_unsigned(&text, refusals->count);
	note("datagrams not answered: ", count, ", the last from ", source, ": ",
		dgram_verdict_name(refusals->last_verdict), NOTE_END);
	refusals->count = 0;
}

/* Tells of refusals, at most once a second: whoever floods the service must not flood its log. */
static void refusal_note(
	struct refusals *refusals, const struct dgram *dgram, enum dgram_verdict verdict)
{
	struct timespec now;

	refusals->count++;
	refusals->last = *dgram;
	refusals->last_verdict = verdict;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (refusals->told_s == now.tv_sec)
		return;
	refusals->told_s = now.tv_sec;
	refusals_tell(refusals);
}

static void datagram_serve(const struct serve *serve, struct dgram_socket *from,
	const struct dgram *dgram, char *data, size_t length, struct refusals *refusals)
{
	const struct service *service = serve->service;
	enum dgram_verdict verdict;
	ssize_t answer;

	if (!service->silent) {
		verdict = dgram_judge(from, dgram);
		if (verdict != DGRAM_ANSWER) {
			refusal_note(refusals, dgram, verdict);
			return;
		}
	}
	answer = service->datagram_cb(serve, data, length, DGRAM_SIZE);
	if (answer == SERVE_MALFORMED)
		refusal_note(refusals, dgram, DGRAM_MALFORMED);
	/* An answer that cannot be sent is lost, which datagrams may be. */
	if (answer >= 0)
		dgram_answer(from, dgram, data, (size_t)answer);
}

int serve_datagrams(const struct serve *serve)
{
	char data[DGRAM_SIZE]; /* not static: that would cost stream services a page */
	struct io_deadline deadline = io_deadline_idle(serve->idle_ms);
	struct refusals refusals = {0};
	struct dgram_socket from;
	struct dgram dgram;
	unsigned failures = 0;

	if (dgram_open(STDIN_FILENO, &from) != 0) {
		note_errno("getsockname");
		return STATUS_FAILED;
	}
	while (failures < MAX_FAILURES) {
		ssize_t length = dgram_receive(&from, data, sizeof(data), &deadline, &dgram);

		if (length >= 0) {
			failures = 0;
			datagram_serve(serve, &from, &dgram, data, (size_t)length, &refusals);
		} else if (errno == ETIMEDOUT) {
			/* Those that came in the second of the last line. */
			refusals_tell(&refusals);
			return STATUS_DONE;
		} else {
			failures++;
		}
	}
	note_errno("recvmsg");
	return STATUS_FAILED;
}
