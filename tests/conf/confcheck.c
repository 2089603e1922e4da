/*
 * confcheck: the configuration loader without the daemon.
 *
 *	confcheck check FILE [SERVICE_DIRECTORY]	every problem and warning to standard error
 *	confcheck print FILE [SERVICE_DIRECTORY]	the effective configuration
 *	confcheck load FILE [SERVICE_DIRECTORY]		check, keep and walk the result
 *	confcheck many DIRECTORY			load every line's file (read from stdin)
 *	confcheck schema				the table, for the lint of the manual page
 *
 * Exit status: 0; 1 for a problem; 2 for wrong usage.
 */
#include "config.h"
#include "superd/conf.h"
#include "superd/conf_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void message_cb(void *owner, enum conf_severity severity, const char *text)
{
	(void)owner;
	fprintf(stderr, "%s%s\n", severity == CONF_WARNING ? "warning: " : "", text);
}

/* Reads every string the result points at, so that a wrong pointer does not stay unseen. */
static size_t walk(const struct conf *conf)
{
	size_t i, j, sum = 0;

	for (i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];

		sum += strlen(service->name) + strlen(service->path) + strlen(service->directory);
		for (j = 0; j < service->socket_count; j++)
			sum += strlen(service->sockets[j].text) +
			       strlen(service->sockets[j].where.file);
		for (j = 0; service->argv[j] != NULL; j++)
			sum += strlen(service->argv[j]);
		for (j = 0; j < service->env_count; j++)
			sum += strlen(service->env[j]);
		for (j = 0; j < service->limits.rlimit_count; j++)
			sum += (size_t)service->limits.rlimits[j].value;
		if (service->env[service->env_count] != NULL)
			abort();
	}
	return sum;
}

static int load(const char *mode, const char *file, const char *directory)
{
	struct conf_request request = {.file = file, .service_directory = directory};
	const struct conf *conf;
	struct error error;
	int rc;

	request.mode = strcmp(mode, "print") == 0   ? CONF_PRINT
		       : strcmp(mode, "check") == 0 ? CONF_CHECK
						    : CONF_BUILD;
	rc = conf_load(&request, message_cb, NULL, &conf, &error);
	if (rc != 0 && error.text[0] != '\0')
		fprintf(stderr, "%s\n", error.text);
	if (rc == 0 && request.mode == CONF_BUILD)
		printf("%zu services, %zu\n", conf->service_count, walk(conf));
	conf_free(conf);
	return rc == 0 ? 0 : 1;
}

/* Each line of standard input names a file; one line of result for each. */
static int load_many(const char *directory)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		printf("%d\n", load("check", line, directory));
		fflush(stdout);
	}
	return 0;
}

static int print_schema(void)
{
	const struct conf_option *option;
	const char *fallback;

	for (option = conf_schema_options(); option->name != NULL; option++) {
		fallback = option->note != NULL ? option->note : option->fallback;
		printf("%s\t%s\t%s\t%s\t%s\n",
			option->block == BLOCK_TOP ? "top" : conf_block_get(option->block)->name,
			option->name, conf_kind_name(option->kind),
			fallback == NULL ? (option->flags & OPTION_REQUIRED ? "required" : "none")
					 : fallback,
			option->flags & OPTION_SERVICE_ONLY ? "service" : "any");
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "schema") == 0 && argc == 2)
		return print_schema();
	if (strcmp(mode, "many") == 0 && argc == 3)
		return load_many(argv[2]);
	if ((strcmp(mode, "check") == 0 || strcmp(mode, "print") == 0 ||
		    strcmp(mode, "load") == 0) &&
		(argc == 3 || argc == 4))
		return load(mode, argv[2], argc == 4 ? argv[3] : PKGLIBEXECDIR);
	fputs("usage: confcheck check|print|load FILE [SERVICE_DIRECTORY] | many DIRECTORY | "
	      "schema\n",
		stderr);
	return 2;
}
