/*
 * conf_build_exec: the program of a service, its arguments and its environment.
 */
#include "config.h"
#include "superd/conf_build.h"
#include "superd/conf_program.h"

#include <stdlib.h>
#include <string.h>

/* What a check of a program gave, kept for the next service that names the same one. */
struct exec_verdict {
	int result;
	struct error error;
};

/* The check, once for each program, root and identity. */
static int exec_check(
	struct conf_making *making, const struct conf_program *program, struct error *error)
{
	struct conf_builder *builder = making->builder;
	struct exec_verdict *verdict;
	const char *key;

	if (program->creds->group_count > 0)
		return conf_program_check(builder->ident, program, error);
	key = conf_pool_format(builder->tree->pool, "%u:%u:%s:%s", (unsigned)program->creds->uid,
		(unsigned)program->creds->gid, program->root == NULL ? "" : program->root,
		program->path);
	verdict = conf_map_get(&builder->programs, key, strlen(key));
	if (verdict == NULL) {
		verdict = conf_pool_alloc(builder->tree->pool, sizeof(*verdict));
		verdict->result = conf_program_check(builder->ident, program, &verdict->error);
		conf_map_put(&builder->programs, key, strlen(key), verdict);
	}
	*error = verdict->error;
	return verdict->result;
}

/* The absolute path of what exec names first, or NULL with *error. */
static const char *exec_path(struct conf_making *making, const char *name, struct error *error)
{
	struct conf_builder *builder = making->builder;

	if (*name == '/')
		return name;
	if (*name == '\0') {
		error_set(error, 0, "the program's name is empty");
		return NULL;
	}
	if (strchr(name, '/') != NULL) {
		error_set(error, 0, "'%.120s' is neither an absolute path nor a bundled service",
			name);
		return NULL;
	}
	return conf_program_bundled(builder->tree->pool, builder->conf->service_directory,
		making->service->root, name, error);
}

static void exec_set_program(struct conf_making *making, const struct conf_value *first)
{
	struct conf_service *service = making->service;
	struct conf_program program = {.root = service->root, .creds = &service->creds};
	const struct creds nobody_known = {.uid = making->builder->ident->uid};
	struct error error;

	/* Where the user is not known, the program can still be missing. */
	if (making->bad)
		program.creds = &nobody_known;
	program.path = exec_path(making, first->text, &error);
	if (program.path != NULL && exec_check(making, &program, &error) == 0) {
		service->path = conf_arena_string(making->builder->arena, program.path);
		return;
	}
	conf_making_problem(making, "exec", first->file, first->line, "%s", error.text);
}

static void exec_set_argv(struct conf_making *making, const struct conf_setting *exec)
{
	const struct conf_setting *argv0 =
		conf_merge_find_name(making->layers, BLOCK_SERVICE, "argv0");
	struct conf_arena *arena = making->builder->arena;
	const char **argv;
	size_t i;

	argv = conf_arena_alloc(arena, (exec->count + 1) * sizeof(*argv));
	for (i = 0; i < exec->count; i++)
		argv[i] = conf_arena_string(arena, exec->values[i].text);
	if (argv0 != NULL && !argv0->bad)
		argv[0] = conf_arena_string(arena, argv0->values[0].text);
	making->service->argv = argv;
}

/* One "NAME=value" at the end of the list, or in place of an earlier NAME. */
static void exec_put_env(struct conf_making *making, struct conf_map *places, const char **list,
	const char *name, const char *value)
{
	struct conf_builder *builder = making->builder;
	uintptr_t place = (uintptr_t)conf_map_get(places, name, strlen(name));

	if (place == 0) {
		place = ++making->service->env_count;
		conf_map_put(places, name, strlen(name), (void *)place);
	}
	list[place - 1] = conf_arena_string(
		builder->arena, conf_pool_format(builder->tree->pool, "%s=%s", name, value));
}

static void exec_set_env(struct conf_making *making)
{
	struct conf_builder *builder = making->builder;
	struct conf_map places = {.pool = builder->tree->pool};
	const struct conf_setting **settings;
	struct conf_list passed;
	const char **list, *value;
	size_t i, count;

	passed = conf_merge_list(builder->tree->pool, making->layers,
		conf_schema_find(BLOCK_SERVICE, "pass-env", strlen("pass-env")));
	count = conf_merge_env(builder->tree->pool, making->layers, &settings);
	list = conf_arena_alloc(builder->arena, (passed.count + count + 1) * sizeof(*list));
	for (i = 0; i < passed.count; i++) {
		value = getenv(passed.values[i]->text);
		if (value != NULL)
			exec_put_env(making, &places, list, passed.values[i]->text, value);
	}
	for (i = 0; i < count; i++) {
		if (settings[i]->count > 0)
			exec_put_env(making, &places, list, settings[i]->name,
				settings[i]->values[0].text);
	}
	making->service->env = list;
}

void conf_build_exec(struct conf_making *making)
{
	const struct conf_setting *exec =
		conf_merge_find_name(making->layers, BLOCK_SERVICE, "exec");
	const struct conf_setting *root =
		conf_merge_find_name(making->layers, BLOCK_SERVICE, "root");

	exec_set_env(making);
	if (exec == NULL || exec->bad || exec->count == 0 || (root != NULL && root->bad))
		return;
	exec_set_argv(making, exec);
	exec_set_program(making, &exec->values[0]);
}
