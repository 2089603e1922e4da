/*
 * test_conf_image: a configuration is handed to the next program as it lies in memory: nothing in
 * it may point elsewhere, and it is found at its address again.
 */
#include "config.h"
#include "superd/conf.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define MAPPINGS_MAX 4096

struct mapping {
	uintptr_t begin;
	uintptr_t end;
};

static void ignore(void *owner, enum conf_severity severity, const char *text)
{
	(void)owner;
	(void)severity;
	(void)text;
}

static const struct conf *load(const char *file)
{
	struct conf_request request = {
		.file = file, .service_directory = "/bin", .mode = CONF_BUILD};
	const struct conf *conf = NULL;
	struct error error;

	return conf_load(&request, ignore, NULL, &conf, &error) == 0 ? conf : NULL;
}

/* Programs, libraries, heap and stack; not the configuration, nor a sanitizer's shadow. */
static size_t find_mappings(const struct conf_image_place *place, struct mapping *mappings)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[1024];
	size_t count = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long begin, end;
		char name[2] = "";

		assert_true(sscanf(line, "%lx-%lx %*s %*s %*s %*s %1s", &begin, &end, name) >= 2);
		if (begin == (unsigned long)place->address || name[0] == '\0')
			continue;
		assert_true(count < MAPPINGS_MAX);
		mappings[count++] = (struct mapping){begin, end};
	}
	fclose(maps);
	return count;
}

static void check_words(const char *file, const struct conf_image_place *place)
{
	const uintptr_t *words = (const uintptr_t *)(uintptr_t)place->address;
	struct mapping *mappings = calloc(MAPPINGS_MAX, sizeof(*mappings));
	size_t count;

	assert_non_null(mappings);
	count = find_mappings(place, mappings);
	for (size_t i = 0; i < (size_t)place->size / sizeof(*words); i++) {
		for (size_t j = 0; j < count; j++) {
			if (words[i] >= mappings[j].begin && words[i] < mappings[j].end)
				fail_msg("%s: word %zu of the configuration points to %#lx", file,
					i, (unsigned long)words[i]);
		}
	}
	free(mappings);
}

/* Every configuration that the tests of the loader have. */
static void test_nothing_points_elsewhere(void **state)
{
	const char *source = getenv("SUPERD_SOURCE");
	char pattern[512];
	glob_t found;
	size_t loaded = 0;

	(void)state;
	if (getenv("SUPERD_VALGRIND") != NULL) {
		print_message("skip: under valgrind programs lie where 64M points\n");
		skip();
	}
	snprintf(pattern, sizeof(pattern), "%s/tests/conf/good/*.conf", source ? source : "..");
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const struct conf *conf = load(found.gl_pathv[i]);
		struct conf_image_place place;

		if (conf == NULL)
			continue; /* of another user, or without its program: test_conf.py says */
		conf_export(conf, &place);
		assert_true(place.fd >= 256 && place.size > 0);
		check_words(found.gl_pathv[i], &place);
		conf_free(conf);
		loaded++;
	}
	globfree(&found);
	assert_true(loaded > 20);
}

static void test_it_is_found_again(void **state)
{
	char path[] = "/tmp/superd-test-XXXXXX";
	static const char text[] = "service a { listen = localhost:7000 exec = /bin/cat }\n";
	int file = mkstemp(path);
	struct conf_image_place place;
	const struct conf *conf;
	struct error error;
	void *other;

	(void)state;
	assert_true(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
	close(file);
	conf = load(path);
	assert_non_null(conf);
	conf_export(conf, &place);
	assert_int_equal(conf_import(&place, &conf, &error), -1); /* it is still there */

	assert_int_equal(munmap((void *)(uintptr_t)place.address, (size_t)place.size), 0);
	other = mmap((void *)(uintptr_t)place.address, 1, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	assert_ptr_equal(other, (void *)(uintptr_t)place.address);
	assert_int_equal(conf_import(&place, &conf, &error), -1); /* something else is */
	munmap(other, 1);

	place.size *= 1000;
	assert_int_equal(conf_import(&place, &conf, &error), -1);
	place.size /= 1000;
	assert_int_equal(conf_import(&place, &conf, &error), 0);
	assert_int_equal(conf->service_count, 1);
	assert_string_equal(conf->services[0].name, "a");
	assert_string_equal(conf->services[0].argv[0], "/bin/cat");
	conf_free(conf);
	assert_int_equal(fcntl(place.fd, F_GETFD), -1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_points_elsewhere),
		cmocka_unit_test(test_it_is_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
