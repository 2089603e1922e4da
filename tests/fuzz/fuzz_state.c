/*
 * fuzz_state: what is handed over in an upgrade, on arbitrary bytes.
 *
 * What is taken must come back as it is, and hold what its readers rely on.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -Ibuild -D_GNU_SOURCE \
 *		tests/fuzz/fuzz_state.c superd/state.c superd/state_shape.c superd/error.c \
 *		superd/format.c superd/step.c -ljansson -o fuzz_state
 *	./fuzz_state tests/fuzz/corpus/state
 */
#include "config.h"
#include "superd/state.h"
#include "superd/step.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static int check_fd(void *owner, int fd)
{
	int *count = owner;

	require(fd > 2);
	++*count;
	return 0;
}

static void check(const struct state *state)
{
	int count = 0;

	require(state->version == STATE_VERSION && state->exe != NULL && state->pid > 0);
	require(state_each_fd(state, check_fd, &count) == 0);
	for (size_t i = 0; i < state->service_count; i++) {
		require(state->services[i].name[0] != '\0');
		require(state->services[i].errpipe.used <= ERRPIPE_LINE_MAX);
	}
	for (size_t i = 0; i < state->child_count; i++) {
		require((size_t)state->children[i].service < state->service_count);
		require(state->children[i].pid > 1);
		require(step_name((enum step)state->children[i].failed_step) != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state state, again;
	struct error error = {0};
	char *once, *twice;

	if (state_decode((const char *)data, size, &state, &error) != 0) {
		require(error.text[0] != '\0');
		state_free(&state);
		return 0;
	}
	check(&state);
	once = state_encode(&state, &error);
	require(once != NULL);
	require(state_decode(once, strlen(once), &again, &error) == 0);
	twice = state_encode(&again, &error);
	require(twice != NULL && strcmp(once, twice) == 0);
	state_free(&state);
	state_free(&again);
	free(once);
	free(twice);
	return 0;
}
