/*
 * test_state: what is handed over in an upgrade: random states there and back, damaged texts, and
 * one nonsense after the other.
 */
#include "config.h"
#include "superd/state.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define ROUNDS 300
#define DAMAGES 40

/* --- random states -------------------------------------------------------------------------- */

static int64_t random_time(void)
{
	return (int64_t)random() << (random() % 20);
}

static char *random_text(const char *prefix)
{
	char *text = NULL;

	assert_true(asprintf(&text, "%s%ld", prefix, random() % 1000) > 0);
	return text;
}

/* Bytes that are no UTF-8 are allowed in paths. */
static char *random_path(void)
{
	char *path = random_text("/srv/");

	path[1] = (char)(random() % 255 + 1);
	return path;
}

static struct peer random_peer(void)
{
	static const sa_family_t families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
	struct peer peer = {.family = families[random() % 4]};

	if (peer.family == AF_UNSPEC)
		return peer;
	peer.port = (uint16_t)random();
	peer.scope = (uint32_t)random();
	for (size_t i = 0; i < sizeof(peer.u.ip); i++)
		peer.u.ip[i] = (uint8_t)random();
	return peer;
}

static void fill_listener(struct state_listener *listener, int fd)
{
	*listener = (struct state_listener){
		.endpoint = random_text("tcp 127.0.0.1:"),
		.fd = fd,
		.lent = random() % 2,
		.holder = (int)(random() % 3),
		.path_device = -random_time(),
	};
}

static void fill_sources(struct limit_snapshot *sources)
{
	*sources = (struct limit_snapshot){
		.service_interval_ns = random_time(),
		.source_ahead_ns = random_time(),
		.source_prefix4 = (int)(random() % 33),
		.source_prefix6 = (int)(random() % 129),
		.full_ns = random_time(),
		.record_count = (size_t)(random() % 3),
	};
	sources->records = calloc(sources->record_count + 1, sizeof(*sources->records));
	assert_non_null(sources->records);
	for (size_t i = 0; i < sources->record_count; i++) {
		for (size_t j = 0; j < LIMIT_RECORD_WORDS; j++)
			sources->records[i].words[j] = (uint32_t)random() * 3;
		sources->records[i].full_ns = random_time();
	}
}

static void fill_service(struct state_service *service, int *fd)
{
	uint64_t *counts = (uint64_t *)&service->counts;

	service->name = random_text("service");
	service->retired = random() % 2;
	service->paused = random() % 2;
	service->draining = random() % 2;
	service->failures = (int)random();
	service->throttle_ns = random_time();
	service->throttle_due_ns = random_time();
	for (size_t i = 0; i < sizeof(service->counts) / sizeof(uint64_t); i++)
		counts[i] = (uint64_t)random() * (uint64_t)random() * (uint64_t)random();
	fill_sources(&service->sources);
	service->errpipe = (struct errpipe_snapshot){.read_fd = -1, .write_fd = -1};
	if (random() % 2 == 0)
		return;
	service->errpipe.read_fd = (*fd)++;
	service->errpipe.write_fd = (*fd)++;
	service->errpipe.dropped = random();
	service->errpipe.used = (size_t)random() % ERRPIPE_LINE_MAX;
	for (size_t i = 0; i < service->errpipe.used; i++)
		service->errpipe.line[i] = (char)random();
}

static void fill_child(struct state_child *child, int pid, size_t services)
{
	*child = (struct state_child){
		.pid = pid,
		.service = (int)((size_t)random() % services),
		.id = random(),
		.started_ns = random_time(),
		.waits = random() % 2,
		.group = random_text("udp *:"),
		.peer = random_peer(),
		.local = random_peer(),
		.cookie = (int64_t)((uint64_t)random() << 33),
		.ends_ns = random() % 2 ? INT64_MAX : random_time(),
		.idle_ns = random_time(),
		.due_ns = random_time(),
		.mark_ns = -random_time(),
		.overdue = random() % 2,
		.stuck = random() % 2,
		.sentenced = random() % 2,
		.failed_step = (int)(random() % 13),
		.failed_code = (int)(random() % 200),
	};
}

static void fill_state(struct state *state)
{
	int fd = 3 + (int)(random() % 300);

	*state = (struct state){
		.version = STATE_VERSION,
		.pid = 1 + (int)(random() % 100000),
		.exe = random_path(),
		.directory = random_path(),
		.left_ns = random_time(),
		.started_ns = random_time(),
		.generation = random(),
		.last_id = random_time(),
		.open_files_soft = random() % 2 ? -1 : random(),
		.pid_path = random_path(),
		.pid_fd = random() % 2 ? -1 : fd++,
		.control_path = random_path(),
		.control_fd = random() % 2 ? -1 : fd++,
		.asker_fd = random() % 2 ? -1 : fd++,
		.conf = {.fd = random() % 2 ? -1 : fd++, .address = random(), .size = random()},
		.listener_count = (size_t)(random() % 4),
		.service_count = 1 + (size_t)(random() % 4),
		.child_count = (size_t)(random() % 5),
	};
	state->listeners = calloc(state->listener_count + 1, sizeof(*state->listeners));
	state->services = calloc(state->service_count + 1, sizeof(*state->services));
	state->children = calloc(state->child_count + 1, sizeof(*state->children));
	assert_true(state->listeners != NULL && state->services != NULL && state->children != NULL);
	for (size_t i = 0; i < state->listener_count; i++)
		fill_listener(&state->listeners[i], fd++);
	for (size_t i = 0; i < state->service_count; i++)
		fill_service(&state->services[i], &fd);
	for (size_t i = 0; i < state->child_count; i++)
		fill_child(&state->children[i], 2 + (int)i * 7, state->service_count);
}

static char *encode(const struct state *state)
{
	struct error error;
	char *text = state_encode(state, &error);

	if (text == NULL)
		fail_msg("%s", error.text);
	return text;
}

static void seed(void)
{
	unsigned value = (unsigned)time(NULL);

	print_message("seed %u\n", value);
	srandom(value);
}

/* --- there and back ------------------------------------------------------------------------- */

static void test_random_states_come_back(void **unused)
{
	(void)unused;
	seed();
	for (int i = 0; i < ROUNDS; i++) {
		struct state state, again;
		struct error error;
		char *text, *same;

		fill_state(&state);
		text = encode(&state);
		if (state_decode(text, strlen(text), &again, &error) != 0)
			fail_msg("%s: %s", error.text, text);
		same = encode(&again);
		assert_string_equal(text, same);
		assert_string_equal(state.exe, again.exe);
		assert_memory_equal(&state.services[0].counts, &again.services[0].counts,
			sizeof(struct report_counts));
		state_free(&state);
		state_free(&again);
		free(text);
		free(same);
	}
}

/* What is taken of a damaged text is a state like any other. */
static void check_damaged(const char *text, size_t length)
{
	struct state state, again;
	struct error error = {0};
	char *once, *twice;

	if (state_decode(text, length, &state, &error) != 0) {
		assert_true(error.text[0] != '\0');
		state_free(&state);
		return;
	}
	once = encode(&state);
	assert_int_equal(state_decode(once, strlen(once), &again, &error), 0);
	twice = encode(&again);
	assert_string_equal(once, twice);
	state_free(&state);
	state_free(&again);
	free(once);
	free(twice);
}

static void test_damaged_texts(void **unused)
{
	static const char alphabet[] = "0123456789abcdef-,:[]{}\"\\ \n\xff";

	(void)unused;
	seed();
	for (int i = 0; i < ROUNDS / 10; i++) {
		struct state state;
		char *text;
		size_t length;

		fill_state(&state);
		text = encode(&state);
		length = strlen(text);
		state_free(&state);
		for (int j = 0; j < DAMAGES; j++) {
			size_t at = (size_t)random() % length;
			char before = text[at];

			text[at] = alphabet[(size_t)random() % (sizeof(alphabet) - 1)];
			check_damaged(text, length);
			check_damaged(text, at);
			text[at] = before;
		}
		free(text);
	}
}

/* --- nonsense ------------------------------------------------------------------------------- */

/* A small sound state: one service with a pipe, two listeners, two programs. */
static json_t *sound(void)
{
	struct state state;
	char *text;
	json_t *json;
	int fd = 300;

	srandom(1);
	fill_state(&state);
	for (size_t i = 0; i < state.service_count; i++)
		state.services[i].errpipe =
			(struct errpipe_snapshot){.read_fd = -1, .write_fd = -1};
	state.pid_fd = fd++;
	state.control_fd = state.asker_fd = state.conf.fd = -1;
	state.services[0].errpipe.read_fd = fd++;
	state.services[0].errpipe.write_fd = fd++;
	for (size_t i = 0; i < state.listener_count; i++)
		state.listeners[i].fd = fd++;
	text = encode(&state);
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_true(state.listener_count >= 1 && state.child_count >= 2);
	state_free(&state);
	free(text);
	return json;
}

/* Puts value in the place that path says: "children.0.1", "services.0.name". */
static void change(json_t *json, const char *path, const char *value)
{
	char copy[64];
	char *rest = copy;
	const char *name = NULL;
	json_t *parent = json;
	json_t *new = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	snprintf(copy, sizeof(copy), "%s", path);
	while ((name = strsep(&rest, "/")) != NULL && rest != NULL) {
		parent = json_is_array(parent) ? json_array_get(parent, strtoul(name, NULL, 10))
					       : json_object_get(parent, name);
		assert_non_null(parent);
	}
	if (json_is_array(parent))
		assert_int_equal(json_array_set_new(parent, strtoul(name, NULL, 10), new), 0);
	else
		assert_int_equal(json_object_set_new(parent, name, new), 0);
}

static void expect(const json_t *json, const char *path, const char *problem)
{
	char *text = json_dumps(json, 0);
	struct state state;
	struct error error = {0};
	int result = state_decode(text, strlen(text), &state, &error);

	if (problem == NULL && result != 0)
		fail_msg("%s: %s", path, error.text);
	if (problem != NULL && (result == 0 || strstr(error.text, problem) == NULL))
		fail_msg("%s: '%s' and not '%s'", path, error.text, problem);
	state_free(&state);
	free(text);
}

static const struct {
	const char *path;
	const char *value;
	const char *problem;
} cases[] = {
	{"pid", "77", NULL},
	{"version", "2", "the state is of version 2"},
	{"version", "\"1\"", "not the state of a superd"},
	{"pid", "0", "'pid'"},
	{"pid", "1.0", "'pid'"},
	{"pid", "4294967297", "'pid'"},
	{"exe", "\"zz\"", "'exe'"},
	{"exe", "\"abc\"", "'exe'"},
	{"exe", "\"2f00\"", "'exe'"},
	{"left_ns", "-1", "'left_ns'"},
	{"left_ns", "9223372036854775807", "'left_ns'"},
	{"open_files_soft", "-2", "'open_files_soft'"},
	{"nonsense", "1", "not the members"},
	{"listeners/0", "[]", "not the members"},
	{"listeners/0", "{}", "not the members"},
	{"listeners/0/1", "2", "'fd'"},
	{"listeners/0/1", "300", "descriptors make no sense"},
	{"listeners/0/0", "\"a\\u0000b\"", "is no JSON"},
	{"pid_fd", "2", "descriptors make no sense"},
	{"asker_fd", "-2", "'asker_fd'"},
	{"services", "[]", "without a service"},
	{"services/0/0", "\"\"", "without a name"},
	{"services/0/7", "[]", "'counts'"},
	{"services/0/7", "\"\"", "'counts'"},
	{"services/0/7", "\"1,2\"", "'counts'"},
	{"services/0/1", "1", "'retired'"},
	{"services/0/16", "-1", "half a pipe"},
	{"services/0/19", "\"0\"", "'errpipe.line'"},
	{"services/0/12", "33", "'sources.source_prefix4'"},
	{"services/0/15", "[[\"1,2,3,4,5\",6,7]]", "not the members"},
	{"services/0/15", "[[\"1,2,3,4,100000000\",6]]", "'words'"},
	{"services/0/15", "[[\"1,2,3,4,-5\",6]]", "'words'"},
	{"services/0/15", "[[\"1,2,3,4,05\",6]]", "'words'"},
	{"services/0/15", "[[\"1,2,3,4,F\",6]]", "'words'"},
	{"services/0/15", "[[\"1,2,3,4,5,6\",6]]", "'words'"},
	{"services/0/15", "[[\"1,2,3,4,\",6]]", "'words'"},
	{"services/0/15", "[[\"1,2,3,4,ffffffff\",6]]", NULL},
	{"children/0/0", "1", "'pid'"},
	{"children/0/0", "9", "processes make no sense"},
	{"children/0/1", "99", "without a service"},
	{"children/0/1", "-1", "'service'"},
	{"children/0/6", "\"0a\"", "'peer'"},
	{"children/0/6", "\"00ff00000000000000000000000000000000000000000000\"", "'peer'"},
	{"children/0/6", "\"\"", NULL},
	{"children/0/18", "99", "'failed_step'"},
};

static void test_nonsense_is_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = sound();

		expect(json, "sound", NULL);
		change(json, cases[i].path, cases[i].value);
		expect(json, cases[i].path, cases[i].problem);
		json_decref(json);
	}
}

static void test_no_json_and_too_deep(void **unused)
{
	static const char *const texts[] = {"", "{", "null", "[]", "{}", "1", "{\"version\": 1}",
		"{\"version\": 1, \"version\": 1}"};
	struct state state;
	struct error error;
	char deep[100001];

	(void)unused;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(state_decode(texts[i], strlen(texts[i]), &state, &error), -1);
		state_free(&state);
	}
	memset(deep, '[', sizeof(deep));
	assert_int_equal(state_decode(deep, sizeof(deep), &state, &error), -1);
	state_free(&state);
}

/* --- memory --------------------------------------------------------------------------------- */

static void test_the_memory_is_sealed(void **unused)
{
	struct state state, again;
	struct error error;
	char *text, *same;
	int fd, loose;

	(void)unused;
	seed();
	fill_state(&state);
	fd = state_store(&state, &error);
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(state_load(fd, &again, &error), 0);
	text = encode(&state);
	same = encode(&again);
	assert_string_equal(text, same);
	state_free(&again);

	loose = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(loose, text, strlen(text)), strlen(text));
	assert_int_equal(state_load(loose, &again, &error), -1);
	assert_non_null(strstr(error.text, "holds no state"));
	assert_int_equal(state_load(STDERR_FILENO, &again, &error), -1);
	assert_int_equal(state_load(-1, &again, &error), -1);
	close(loose);
	close(fd);
	state_free(&state);
	free(text);
	free(same);
}

static int note_fd(void *owner, int fd)
{
	int *sum = owner;

	*sum += fd;
	return fd == 302 ? 7 : 0;
}

static void test_every_descriptor_is_named(void **unused)
{
	struct state_listener listeners[] = {{.fd = 10}, {.fd = 20}};
	struct state_service services[] = {{.errpipe = {.read_fd = -1, .write_fd = -1}},
		{.errpipe = {.read_fd = 1000, .write_fd = 2000}}};
	struct state state = {.pid_fd = 1,
		.control_fd = 2,
		.asker_fd = -1,
		.conf = {.fd = 3},
		.listeners = listeners,
		.listener_count = 2,
		.services = services,
		.service_count = 2};
	int sum = 0;

	(void)unused;
	assert_int_equal(state_each_fd(&state, note_fd, &sum), 0);
	assert_int_equal(sum, 3036);
	listeners[0].fd = 302;
	sum = 0;
	assert_int_equal(state_each_fd(&state, note_fd, &sum), 7);
	assert_int_equal(sum, 308);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_states_come_back),
		cmocka_unit_test(test_damaged_texts),
		cmocka_unit_test(test_nonsense_is_refused),
		cmocka_unit_test(test_no_json_and_too_deep),
		cmocka_unit_test(test_the_memory_is_sealed),
		cmocka_unit_test(test_every_descriptor_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
