/*
 * conf_dump: what the table stores is printed from struct conf, so that the print shows what
 * superd would run with; names (of users, endpoints, templates) as they were written.
 */
#include "config.h"
#include "superd/conf_dump.h"
#include "superd/conf_claim.h"
#include "superd/conf_endpoint.h"
#include "superd/conf_string.h"
#include "superd/conf_value.h"

#include <ctype.h>
#include <string.h>

struct dump {
	const struct conf_builder *builder;
	struct conf_pool *pool;
	FILE *stream;
	const struct conf_layers *layers;
	const struct conf_service *service; /* NULL: the top level */
	unsigned depth;
};

/* --- lines --------------------------------------------------------------------------------- */

static void dump_indent(const struct dump *dump)
{
	unsigned i;

	for (i = 0; i < dump->depth; i++)
		fputc('\t', dump->stream);
}

static void dump_open(struct dump *dump, const char *name)
{
	dump_indent(dump);
	fprintf(dump->stream, "%s {\n", name);
	dump->depth++;
}

static void dump_close(struct dump *dump)
{
	dump->depth--;
	dump_indent(dump);
	fputs("}\n", dump->stream);
}

/* "  # FILE:LINE", with the file's name fit for a comment. */
static void dump_position(struct dump *dump, const struct conf_file *file, unsigned line)
{
	const char *c;

	if (file != NULL) {
		fputs("  # ", dump->stream);
		for (c = file->name; *c != '\0'; c++)
			fputc(iscntrl((unsigned char)*c) ? '?' : *c, dump->stream);
		fprintf(dump->stream, ":%u", line);
	}
	fputc('\n', dump->stream);
}

static void dump_name(struct dump *dump, const char *name)
{
	dump_indent(dump);
	fprintf(dump->stream, "%s = ", name);
}

/* The end of a line, with the place where setting (may be NULL) was made. */
static void dump_end(struct dump *dump, const struct conf_setting *setting)
{
	if (setting == NULL)
		dump_position(dump, NULL, 0);
	else
		dump_position(dump, setting->file,
			setting->count > 0 ? setting->values[0].line : setting->line);
}

static void dump_line(
	struct dump *dump, const char *name, const char *value, const struct conf_setting *setting)
{
	dump_name(dump, name);
	fputs(value, dump->stream);
	dump_end(dump, setting);
}

/* What holds without being set, and would not be the same if it were. */
static void dump_computed(struct dump *dump, const char *name, const char *text)
{
	dump_indent(dump);
	fprintf(dump->stream, "# %s = %s (default)\n", name, text);
}

static void dump_list(struct dump *dump, const char *name, const struct conf_list *list,
	const struct conf_setting *setting)
{
	size_t i;

	dump_name(dump, name);
	fputc('{', dump->stream);
	for (i = 0; i < list->count; i++)
		fprintf(dump->stream, "%s%s", i == 0 ? " " : ", ",
			conf_string_quote(dump->pool, list->values[i]->text));
	fputs(list->count == 0 ? "}" : " }", dump->stream);
	dump_end(dump, setting);
}

/* --- what the table stored ----------------------------------------------------------------- */

static int64_t dump_number(const void *field, size_t size)
{
	int64_t wide;
	int32_t narrow;
	bool flag;

	if (size == sizeof(flag)) {
		memcpy(&flag, field, sizeof(flag));
		return flag;
	}
	if (size == sizeof(narrow)) {
		memcpy(&narrow, field, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, field, sizeof(wide));
	return wide;
}

static const char *dump_words(struct conf_pool *pool, const struct conf_word *words, int64_t bits)
{
	const char *text = "{";

	for (; words->name != NULL; words++) {
		if (bits & words->value)
			text = conf_pool_format(
				pool, "%s%s %s", text, text[1] == '\0' ? "" : ",", words->name);
	}
	return conf_pool_format(pool, "%s%s}", text, text[1] == '\0' ? "" : " ");
}

/* The text of a stored value; NULL where there is none. */
static const char *dump_field(
	struct dump *dump, const struct conf_option *option, const void *field)
{
	char *buffer = conf_pool_alloc(dump->pool, CONF_VALUE_SIZE);
	struct limit_rate rate;
	const char *text;

	switch (option->kind) {
	case KIND_STRING:
	case KIND_PATH:
		memcpy(&text, field, sizeof(text));
		return text == NULL ? NULL : conf_string_quote(dump->pool, text);
	case KIND_WORD:
		return conf_word_name(option->words, dump_number(field, option->size));
	case KIND_WORDS:
		return dump_words(dump->pool, option->words, dump_number(field, option->size));
	case KIND_RATE:
		memcpy(&rate, field, sizeof(rate));
		return conf_value_format(option->kind, conf_value_rate_put(&rate), buffer);
	default:
		return conf_value_format(option->kind, dump_number(field, option->size), buffer);
	}
}

/* --- what it did not ----------------------------------------------------------------------- */

/* Users and groups by the name that was written, else by the number that was found. */
static void dump_identity(
	struct dump *dump, const char *name, uint32_t id, const struct conf_setting *setting)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", id);
	if (setting != NULL)
		dump_line(dump, name, conf_string_quote(dump->pool, setting->values[0].text),
			setting);
	else if (dump->service->creds.change)
		dump_line(dump, name, number, NULL);
	else
		dump_computed(dump, name, number); /* superd's own: another's is another */
}

static void dump_listen(
	struct dump *dump, const struct conf_option *option, const struct conf_setting *setting)
{
	struct conf_list list = conf_merge_list(dump->pool, dump->layers, option);
	const struct conf_socket *first = &dump->service->sockets[0];
	struct conf_endpoint named;
	size_t i;

	if (setting != NULL &&
		(!setting->add || conf_endpoint_from_name(dump->service->name, &named) != 0)) {
		dump_list(dump, option->name, &list, setting);
		return;
	}
	/* The port of the service's name comes first. */
	dump_name(dump, option->name);
	fprintf(dump->stream, "{ %u", addr_port(&first->addr));
	for (i = 0; i < list.count; i++)
		fprintf(dump->stream, ", %s", conf_string_quote(dump->pool, list.values[i]->text));
	fputs(" }", dump->stream);
	dump_end(dump, setting);
}

/*
 * Effective where all sockets agree; where a service has both kinds, only streams have the
 * choice, and no for them is what is said by not saying it.
 */
static void dump_wait(
	struct dump *dump, const struct conf_option *option, const struct conf_setting *setting)
{
	const struct conf_service *service = dump->service;
	bool accepts = conf_service_applies(service, APPLIES_ACCEPTED);

	if (accepts && conf_service_has_wait(service))
		return;
	dump_line(dump, option->name, accepts ? "no" : "yes", setting);
}

static void dump_rlimit(
	struct dump *dump, const struct conf_option *option, const struct conf_setting *setting)
{
	char text[CONF_VALUE_SIZE];

	dump_line(dump, option->name,
		conf_value_format(option->kind, setting->values[0].number, text), setting);
}

static void dump_special(
	struct dump *dump, const struct conf_option *option, const struct conf_setting *setting)
{
	const struct conf_service *service = dump->service;
	struct conf_list list;

	if (option->flags & OPTION_RLIMIT)
		dump_rlimit(dump, option, setting);
	else if (option->kind == KIND_ENDPOINTS)
		dump_listen(dump, option, setting);
	else if (option->kind == KIND_BOOL)
		dump_wait(dump, option, setting);
	else if (option->block == BLOCK_TOP && setting != NULL)
		dump_line(dump, option->name,
			conf_string_quote(dump->pool, setting->values[0].text), setting);
	else if (option->block == BLOCK_TOP)
		return;
	else if (strcmp(option->name, "user") == 0)
		dump_identity(dump, option->name, service->creds.uid, setting);
	else if (strcmp(option->name, "group") == 0)
		dump_identity(dump, option->name, service->creds.gid, setting);
	else if (strcmp(option->name, "socket-user") == 0)
		dump_identity(dump, option->name, service->socket_user, setting);
	else if (strcmp(option->name, "socket-group") == 0)
		dump_identity(dump, option->name, service->socket_group, setting);
	else if (option->kind == KIND_STRING && setting != NULL)
		dump_line(dump, option->name,
			conf_string_quote(dump->pool, setting->values[0].text), setting);
	else if (option->kind == KIND_STRINGS || option->kind == KIND_VARIABLES ||
		 (option->kind == KIND_GROUPS && (setting != NULL || service->creds.change))) {
		list = conf_merge_list(dump->pool, dump->layers, option);
		dump_list(dump, option->name, &list, setting);
	} else if (option->kind == KIND_NETWORKS || option->kind == KIND_HOURS) {
		list = conf_merge_list(dump->pool, dump->layers, option);
		if (list.count > 0)
			dump_list(dump, option->name, &list, setting);
	}
}

/* --- blocks -------------------------------------------------------------------------------- */

/*
 * An inherited option that needs a peer, in a service where only some endpoints have one, may
 * not be set by the service itself: it is printed in a template.
 */
static bool dump_is_inherited_peer(const struct dump *dump, const struct conf_option *option)
{
	return (option->flags & OPTION_PEER) && dump->service != NULL &&
	       conf_service_has_wait(dump->service);
}

/* Without a rate burst would be a problem if it were set, without a control socket its mode. */
static bool dump_has_effect(const struct dump *dump, const struct conf_option *option)
{
	const struct limit_policy *sources;

	if (option->block == BLOCK_TOP && strcmp(option->name, "control-mode") == 0)
		return dump->builder->conf->control_socket != NULL;
	if (option->block != BLOCK_LIMITS || strcmp(option->name, "burst") != 0)
		return true;
	sources = &dump->service->limits.sources;
	return sources->rate.count > 0 || sources->per_source_rate.count > 0;
}

/* Whether no file sets it. */
static bool dump_is_builtin(const struct conf_setting *setting)
{
	return setting == NULL || setting->file == NULL;
}

/* Set in a file, per-source would hold for loopback and unix peers as well, and a control socket
   that cannot be made would be an error. */
static bool dump_is_weaker(const struct conf_option *option, const struct conf_setting *setting)
{
	if (setting == NULL)
		return option->block == BLOCK_LIMITS;
	return dump_is_builtin(setting) && strcmp(option->name, "control-socket") == 0;
}

static void dump_option(struct dump *dump, const struct conf_option *option, const void *base)
{
	const struct conf_setting *setting = conf_merge_find(dump->layers, option);
	const char *text;

	if (dump->service != NULL && !conf_service_applies(dump->service, option->applies))
		return;
	if (option->size == 0) {
		dump_special(dump, option, setting);
		return;
	}
	/* Computed where it was not set: it says so in its note. */
	if (setting == NULL && (option->kind == KIND_WORD || option->kind == KIND_INTEGER) &&
		option->block != BLOCK_LIMITS)
		return;
	text = dump_field(dump, option, (const char *)base + option->offset);
	if (text == NULL && option->fallback != NULL)
		text = "\"\""; /* none, where saying nothing would be something */
	if (text == NULL)
		return;
	if (!dump_has_effect(dump, option)) {
		if (option->block == BLOCK_LIMITS && dump_is_builtin(setting))
			dump_computed(dump, option->name, text);
		return;
	}
	if (dump_is_weaker(option, setting))
		dump_computed(dump, option->name, text);
	else
		dump_line(dump, option->name, text, setting);
}

static void dump_block(struct dump *dump, enum conf_block_kind block, const void *base)
{
	const struct conf_option *option;

	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (option->block == block && !dump_is_inherited_peer(dump, option))
			dump_option(dump, option, base);
	}
}

static void dump_env(struct dump *dump)
{
	const struct conf_setting **settings;
	size_t i, count = conf_merge_env(dump->pool, dump->layers, &settings);

	if (count == 0)
		return;
	dump_open(dump, "env");
	for (i = 0; i < count; i++)
		dump_line(dump, settings[i]->name,
			conf_string_quote(dump->pool, settings[i]->values[0].text), settings[i]);
	dump_close(dump);
}

/*
 * How many of those in block, kept in the struct at base, a file sets; prints them where it is
 * told to.
 */
static size_t dump_inherited(
	struct dump *dump, enum conf_block_kind block, const void *base, bool print)
{
	const struct conf_setting *setting;
	const struct conf_option *option;
	const char *text;
	size_t count = 0;

	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (option->block != block || option->size == 0 ||
			!dump_is_inherited_peer(dump, option) ||
			!conf_service_applies(dump->service, option->applies))
			continue;
		setting = conf_merge_find(dump->layers, option);
		text = dump_field(dump, option, (const char *)base + option->offset);
		if (setting == NULL || setting->file == NULL || text == NULL)
			continue;
		count++;
		if (print)
			dump_line(dump, option->name, text, setting);
	}
	return count;
}

/* The template of dump_is_inherited_peer(); returns whether there is one. */
static bool dump_template(struct dump *dump)
{
	const struct conf_service *service = dump->service;
	size_t options = dump_inherited(dump, BLOCK_SERVICE, service, false);
	size_t limits = dump_inherited(dump, BLOCK_LIMITS, &service->limits, false);

	if (options + limits == 0)
		return false;
	dump_open(dump, conf_pool_format(dump->pool, "\ntemplate %s",
				conf_string_quote(dump->pool, service->name)));
	dump_inherited(dump, BLOCK_SERVICE, service, true);
	if (limits > 0) {
		dump_open(dump, "limits");
		dump_inherited(dump, BLOCK_LIMITS, &service->limits, true);
		dump_close(dump);
	}
	dump_close(dump);
	return true;
}

/* Who may connect and when, where anything says so; a socket without peers has none of it. */
static void dump_acl(struct dump *dump)
{
	if (dump->service->acl == NULL && dump->service->hours == NULL)
		return;
	dump_open(dump, "acl");
	dump_block(dump, BLOCK_ACL, dump->service);
	dump_close(dump);
}

static void dump_service(struct dump *dump, const struct conf_section *section)
{
	const struct conf_service *service = dump->service;
	const char *name = conf_string_quote(dump->pool, service->name);
	bool templated = dump_template(dump);

	fprintf(dump->stream, "\nservice %s {", name);
	dump_position(dump, section->file, section->line);
	dump->depth++;
	if (templated)
		dump_line(dump, "use", name, NULL);
	dump_block(dump, BLOCK_SERVICE, service);
	dump_acl(dump);
	dump_open(dump, "limits");
	dump_block(dump, BLOCK_LIMITS, &service->limits);
	dump_close(dump);
	dump_open(dump, "log");
	dump_block(dump, BLOCK_LOG, &service->log);
	dump_close(dump);
	dump_env(dump);
	dump_close(dump);
}

void conf_dump(const struct conf_builder *builder, FILE *stream)
{
	const struct conf *conf = builder->conf;
	struct dump dump = {.builder = builder, .pool = builder->tree->pool, .stream = stream};
	size_t i;

	dump.layers = &builder->top;
	dump_block(&dump, BLOCK_TOP, conf);
	fputc('\n', stream);
	dump_open(&dump, "log");
	dump_block(&dump, BLOCK_LOG, &conf->log);
	dump_close(&dump);
	for (i = 0; i < conf->service_count; i++) {
		dump.layers = &builder->layers[i];
		dump.service = &conf->services[i];
		dump_service(&dump, builder->tree->services.list[i]);
	}
}
