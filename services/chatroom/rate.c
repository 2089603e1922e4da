/*
 * rate: how many lines a client may send.
 */
#include "config.h"

#include "services/chatroom/rate.h"

#define TOKEN_NS (INT64_C(1000000000) / RATE_PER_S)
#define FULL_NS (TOKEN_NS * RATE_BURST)

const char *rate_verdict_name(enum rate_verdict verdict)
{
	static const char *const names[] = {
		[RATE_FINE] = "fine",
		[RATE_OVER_FIRST] = "over, first",
		[RATE_OVER] = "over",
	};

	return names[verdict];
}

void rate_init(struct rate *rate, int64_t now_ns)
{
	*rate = (struct rate){.credit_ns = FULL_NS, .seen_ns = now_ns};
}

static void rate_refill(struct rate *rate, int64_t now_ns)
{
	int64_t passed_ns = now_ns - rate->seen_ns;

	rate->seen_ns = now_ns;
	/* Compared before it is added, so that no sum overflows. */
	if (passed_ns < FULL_NS - rate->credit_ns) {
		rate->credit_ns += passed_ns;
		return;
	}
	rate->credit_ns = FULL_NS;
	rate->told = false;
}

enum rate_verdict rate_take(struct rate *rate, int64_t now_ns)
{
	rate_refill(rate, now_ns);
	if (rate->credit_ns >= TOKEN_NS) {
		rate->credit_ns -= TOKEN_NS;
		return RATE_FINE;
	}
	if (rate->told)
		return RATE_OVER;
	rate->told = true;
	return RATE_OVER_FIRST;
}
