/*
 * conf_text: files in a folder that only their owner may write, loaded by the real loader.
 */
#include "config.h"
#include "tests/unit/conf_text.h"

#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

void conf_text_begin(struct conf_text_folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/superd-text-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
}

void conf_text_write(const struct conf_text_folder *folder, const char *name, const char *content)
{
	char path[PATH_MAX];
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	stream = fopen(path, "w");
	assert_non_null(stream);
	fputs(content, stream);
	fchmod(fileno(stream), 0600);
	assert_int_equal(fclose(stream), 0);
}

static void message_cb(void *owner, enum conf_severity severity, const char *text)
{
	(void)owner;
	print_message("%s%s\n", severity == CONF_WARNING ? "warning: " : "", text);
}

const struct conf *conf_text_load(const struct conf_text_folder *folder, const char *name)
{
	struct conf_request request = {
		.file = name, .service_directory = "/bin", .mode = CONF_BUILD};
	const struct conf *conf;
	char before[PATH_MAX];
	struct error error;
	int rc;

	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(folder->path), 0);
	rc = conf_load(&request, message_cb, NULL, &conf, &error);
	assert_int_equal(chdir(before), 0);
	if (rc != 0)
		fail_msg("%s does not load: %s", name, error.text);
	return conf;
}

void conf_text_end(const struct conf_text_folder *folder)
{
	DIR *stream = opendir(folder->path);
	const struct dirent *entry;

	assert_non_null(stream);
	while ((entry = readdir(stream)) != NULL)
		unlinkat(dirfd(stream), entry->d_name, 0);
	closedir(stream);
	assert_int_equal(rmdir(folder->path), 0);
}

const struct conf_service *conf_text_service(const struct conf *conf, const char *name)
{
	size_t i;

	for (i = 0; i < conf->service_count; i++) {
		if (strcmp(conf->services[i].name, name) == 0)
			return &conf->services[i];
	}
	fail_msg("no service %s", name);
	return NULL;
}
