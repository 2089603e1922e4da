/*
 * conf_build: what the table can say is stored by the table; the rest has functions.
 */
#include "config.h"
#include "superd/conf_build.h"
#include "superd/conf_check.h"
#include "superd/conf_claim.h"
#include "superd/conf_value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

const char *conf_build_file(struct conf_builder *builder, const char *name)
{
	const char *copy = conf_map_get(&builder->arena_names, name, strlen(name));

	if (copy == NULL) {
		copy = conf_arena_string(builder->arena, name);
		conf_map_put(&builder->arena_names, name, strlen(name), (void *)(uintptr_t)copy);
	}
	return copy;
}

struct conf_position conf_build_position(
	struct conf_builder *builder, const struct conf_file *file, unsigned line)
{
	return (struct conf_position){.file = conf_build_file(builder, file->name), .line = line};
}

void conf_making_problem(const struct conf_making *making, const char *name,
	const struct conf_file *file, unsigned line, const char *format, ...)
{
	char text[768];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	conf_section_message(making->builder->tree->report, CONF_PROBLEM, making->section, name,
		file, line, "%s", text);
}

bool conf_making_is_own(const struct conf_making *making, const struct conf_setting *setting)
{
	const struct conf_section *section = setting->section;

	return section == making->section || section->parent == making->section;
}

/* --- what the table stores ----------------------------------------------------------------- */

/* A number into a field of size bytes: bool, int, unsigned, enum, mode_t, int64_t. */
static void build_store_number(void *field, size_t size, int64_t number)
{
	bool flag = number != 0;
	int32_t narrow = (int32_t)number;

	if (size == sizeof(flag))
		memcpy(field, &flag, sizeof(flag));
	else if (size == sizeof(narrow))
		memcpy(field, &narrow, sizeof(narrow));
	else
		memcpy(field, &number, sizeof(number));
}

static void build_store_rate(void *field, int64_t number)
{
	struct limit_rate rate = conf_value_rate_get(number);

	memcpy(field, &rate, sizeof(rate));
}

static void build_store_text(struct conf_arena *arena, void *field, const char *text)
{
	const char *copy = *text == '\0' ? NULL : conf_arena_string(arena, text);

	memcpy(field, &copy, sizeof(copy));
}

static void build_option(struct conf_builder *builder, const struct conf_layers *layers,
	const struct conf_option *option, void *field)
{
	const struct conf_setting *setting = conf_merge_find(layers, option);
	struct conf_list list;
	int64_t bits = 0;
	size_t i;

	if (setting == NULL || (setting->bad && !conf_option_is_list(option)))
		return;
	if (option->kind == KIND_STRING || option->kind == KIND_PATH) {
		build_store_text(builder->arena, field, setting->values[0].text);
	} else if (option->kind == KIND_WORDS) {
		list = conf_merge_list(builder->tree->pool, layers, option);
		for (i = 0; i < list.count; i++)
			bits |= list.values[i]->number;
		build_store_number(field, option->size, bits);
	} else if (option->kind == KIND_RATE) {
		build_store_rate(field, setting->values[0].number);
	} else {
		build_store_number(field, option->size, setting->values[0].number);
	}
}

/* All options of a block that go somewhere by themselves, into the struct at base. */
static void build_block(struct conf_builder *builder, const struct conf_layers *layers,
	enum conf_block_kind block, void *base)
{
	const struct conf_option *option;

	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (option->block == block && option->size > 0)
			build_option(builder, layers, option, (char *)base + option->offset);
	}
}

/* --- log ----------------------------------------------------------------------------------- */

/* to = file and file belong together; section is whose log it is. */
static void build_log(
	struct conf_builder *builder, const struct conf_layers *layers, struct conf_log *log)
{
	const struct conf_setting *to = conf_merge_find_name(layers, BLOCK_LOG, "to");
	const struct conf_setting *file = conf_merge_find_name(layers, BLOCK_LOG, "file");
	struct conf_report *report = builder->tree->report;

	build_block(builder, layers, BLOCK_LOG, log);
	log->to_set = to != NULL;
	if ((to != NULL && to->bad) || (file != NULL && file->bad))
		return;
	if (log->to_set && log->to == LOG_TO_FILE && log->file == NULL)
		conf_setting_problem(report, to, "the file is not set (write file = \"/PATH\")");
	if ((!log->to_set || log->to != LOG_TO_FILE) && log->file != NULL &&
		file->section->parent == layers->sections[0])
		conf_setting_problem(report, file, "has no effect without to = file");
	if (!log->to_set || log->to != LOG_TO_FILE)
		log->file = NULL;
}

/* --- limits -------------------------------------------------------------------------------- */

/* The kernel's own limit of open files, which not even root goes beyond. */
static rlim_t build_most_files(void)
{
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	unsigned long most;
	int got;

	if (file == NULL)
		return RLIM_INFINITY;
	got = fscanf(file, "%lu", &most);
	fclose(file);
	return got == 1 ? most : RLIM_INFINITY;
}

/* Whether superd may set it; only root goes beyond its own hard limit. */
static void build_check_rlimit(struct conf_builder *builder, const struct conf_setting *setting,
	const struct conf_rlimit *limit)
{
	bool root = builder->ident->root;
	char most[CONF_VALUE_SIZE];
	struct rlimit own = {.rlim_max = RLIM_INFINITY};

	if (root && limit->resource == RLIMIT_NOFILE)
		own.rlim_max = build_most_files();
	else if (!root && getrlimit((__rlimit_resource_t)limit->resource, &own) != 0)
		return;
	if (limit->value <= own.rlim_max)
		return;
	conf_value_format(setting->option->kind, (int64_t)own.rlim_max, most);
	conf_setting_problem(builder->tree->report, setting,
		root ? "is above the kernel's limit of %s (fs.nr_open)"
		     : "is above superd's own hard limit of %s, and only root may raise it",
		most);
}

static void build_rlimits(
	struct conf_builder *builder, const struct conf_layers *layers, struct conf_limits *limits)
{
	struct conf_rlimit *list = NULL, one;
	const struct conf_option *option;
	const struct conf_setting *setting;
	size_t count = 0;

	for (option = conf_schema_options(); option->name != NULL; option++)
		count += (option->flags & OPTION_RLIMIT) != 0;
	list = conf_arena_alloc(builder->arena, count * sizeof(*list));
	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (!(option->flags & OPTION_RLIMIT))
			continue;
		setting = conf_merge_find(layers, option);
		/* 0 is none, but for core dumps, where it is what one wants. */
		if (setting == NULL || setting->bad ||
			(setting->values[0].number == 0 && option->resource != RLIMIT_CORE))
			continue;
		one.resource = option->resource;
		one.value = setting->values[0].number == CONF_UNLIMITED
				    ? RLIM_INFINITY
				    : (rlim_t)setting->values[0].number;
		build_check_rlimit(builder, setting, &one);
		list[limits->rlimit_count++] = one;
	}
	limits->rlimits = list;
}

static void build_limits(struct conf_making *making)
{
	struct conf_limits *limits = &making->service->limits;
	struct limit_policy *sources = &limits->sources;

	build_block(making->builder, making->layers, BLOCK_LIMITS, limits);
	sources->local_exempt =
		conf_merge_find_name(making->layers, BLOCK_LIMITS, "per-source") == NULL;
	if (sources->local_exempt)
		sources->per_source = limits->instances < 4 ? 1 : limits->instances / 4;
	build_rlimits(making->builder, making->layers, limits);
}

/* burst alone does nothing. */
static void build_check_burst(struct conf_making *making)
{
	const struct conf_setting *burst =
		conf_merge_find_name(making->layers, BLOCK_LIMITS, "burst");
	static const char *const rates[] = {"rate", "per-source-rate"};
	const struct conf_setting *rate;
	size_t i;

	if (burst->bad || !conf_making_is_own(making, burst) ||
		!conf_service_applies(making->service, APPLIES_ACCEPTED))
		return;
	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		rate = conf_merge_find_name(making->layers, BLOCK_LIMITS, rates[i]);
		if (rate->bad || rate->values[0].number != 0)
			return;
	}
	conf_setting_problem(making->builder->tree->report, burst,
		"has no effect without rate or per-source-rate");
}

/* --- services ------------------------------------------------------------------------------ */

static void build_service(struct conf_builder *builder, const struct conf_section *section,
	const struct conf_layers *layers, struct conf_service *service)
{
	struct conf_making making = {
		.builder = builder, .section = section, .layers = layers, .service = service};

	service->name = conf_arena_string(builder->arena, section->title);
	service->where = conf_build_position(builder, section->file, section->line);
	service->tos = -1;
	service->mark = -1;
	build_block(builder, layers, BLOCK_SERVICE, service);
	/* Only root may go back to 0 from where superd was started. */
	if (!builder->ident->root &&
		conf_merge_find_name(layers, BLOCK_SERVICE, "nice")->file == NULL)
		service->nice = getpriority(PRIO_PROCESS, 0);
	build_limits(&making);
	build_log(builder, layers, &service->log);
	conf_build_creds(&making);
	if (conf_merge_find_name(layers, BLOCK_SERVICE, "no-new-privileges") == NULL)
		service->no_new_privileges = service->creds.uid != 0;
	conf_build_listen(&making);
	build_check_burst(&making);
	conf_build_acl(&making);
	conf_build_exec(&making);
}

/* What `processes`, which is set, does not do for the service; other: one of the same user. */
static void build_tell_processes(struct conf_builder *builder, const struct conf_section *section,
	const struct conf_setting *setting, const struct conf_service *service,
	const struct conf_service *other)
{
	struct conf_report *report = builder->tree->report;
	const struct conf_value *value = &setting->values[0];
	unsigned uid = service->creds.uid;

	if (uid == 0 && value->number != CONF_UNLIMITED)
		conf_section_message(report, CONF_WARNING, section, "limits: processes",
			setting->file, value->line,
			"does not hold for root, as whom the program runs");
	else if (uid != 0 && other != NULL)
		conf_section_message(report, CONF_WARNING, section, "limits: processes",
			setting->file, value->line,
			"counts all programs of user %u, and service \"%s\" runs as that user too",
			uid, other->name);
}

/* Of several services of one user, `processes` of one counts the programs of all. */
static void build_check_processes(struct conf_builder *builder)
{
	const struct conf_option *option =
		conf_schema_find(BLOCK_LIMITS, "processes", strlen("processes"));
	struct conf_map first = {.pool = builder->tree->pool}, second = first;
	size_t i;

	for (i = 0; i < builder->conf->service_count; i++) {
		struct conf_service *service = builder->services[i];
		uid_t *uid = &service->creds.uid;

		if (!service->enabled)
			continue;
		if (conf_map_get(&first, uid, sizeof(*uid)) == NULL)
			conf_map_put(&first, uid, sizeof(*uid), service);
		else if (conf_map_get(&second, uid, sizeof(*uid)) == NULL)
			conf_map_put(&second, uid, sizeof(*uid), service);
	}
	for (i = 0; i < builder->conf->service_count; i++) {
		const struct conf_service *service = builder->services[i];
		const struct conf_service *other =
			conf_map_get(&first, &service->creds.uid, sizeof(uid_t));
		const struct conf_setting *setting = conf_merge_find(&builder->layers[i], option);

		if (other == service)
			other = conf_map_get(&second, &service->creds.uid, sizeof(uid_t));
		if (service->enabled && !setting->bad && setting->values[0].number != 0)
			build_tell_processes(
				builder, builder->tree->services.list[i], setting, service, other);
	}
}

static void build_services(struct conf_builder *builder)
{
	const struct conf_sections *sections = &builder->tree->services;
	struct conf_pool *pool = builder->tree->pool;
	struct conf_service *list;
	size_t i;

	list = conf_arena_alloc(builder->arena, sections->count * sizeof(*list));
	builder->conf->services = list;
	builder->conf->service_count = sections->count;
	builder->layers = conf_pool_alloc(pool, sections->count * sizeof(*builder->layers));
	builder->services = conf_pool_alloc(pool, sections->count * sizeof(struct conf_service *));
	for (i = 0; i < sections->count; i++) {
		builder->services[i] = &list[i];
		builder->layers[i] =
			conf_layers_of_service(builder->tree, &builder->builtin, sections->list[i]);
		build_service(builder, sections->list[i], &builder->layers[i], &list[i]);
	}
	build_check_processes(builder);
}

static void build_acl_sources(struct conf_builder *builder)
{
	const char *const *names;
	const char **list;
	size_t i, count;

	names = conf_network_sources(builder->networks, &count);
	list = conf_arena_alloc(builder->arena, count * sizeof(*list));
	for (i = 0; i < count; i++)
		list[i] = conf_build_file(builder, names[i]);
	builder->conf->acl_sources = list;
}

void conf_build(struct conf_builder *builder)
{
	struct conf *conf = builder->conf;

	builder->builtin.top = conf_check_builtin(builder->tree, builder->ident, BLOCK_TOP);
	builder->builtin.service = conf_check_builtin(builder->tree, builder->ident, BLOCK_SERVICE);
	builder->top = conf_layers_of_top(builder->tree, &builder->builtin);
	conf->file = conf_arena_string(builder->arena, builder->request->file);
	build_block(builder, &builder->top, BLOCK_TOP, conf);
	conf_build_control(builder);
	if (conf->service_directory == NULL)
		conf->service_directory =
			conf_arena_string(builder->arena, builder->request->service_directory);
	build_log(builder, &builder->top, &conf->log);
	build_services(builder);
	build_acl_sources(builder);
}
