/*
 * conf_check: kind by kind.
 */
#include "config.h"
#include "superd/conf_check.h"
#include "superd/conf_endpoint.h"
#include "superd/conf_suggest.h"
#include "superd/conf_value.h"
#include "superd/hours.h"

#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <sys/un.h>

/* The kernel takes no longer argument or environment string. */
#define CONF_STRING_MAX (128 * 1024 - 1)

/* The longest name of a unix socket. */
#define SOCKET_PATH_MAX ((int)sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

struct conf_checker {
	struct conf_tree *tree;
	struct conf_ident *ident;
	struct conf_network_reader *networks; /* NULL: built in values, which hold none */
	bool incomplete;
};

static int check_string(const struct conf_option *option, const char *text, struct error *error)
{
	if (*text == '\0' && !(option->flags & OPTION_EMPTY))
		return error_set(error, 0, "the string is empty");
	if (strlen(text) > CONF_STRING_MAX)
		return error_set(error, 0, "longer than %d bytes", CONF_STRING_MAX);
	if (strcmp(option->name, "bind-device") == 0 && strlen(text) >= IFNAMSIZ)
		return error_set(error, 0, "'%.40s' is too long for an interface", text);
	return 0;
}

static int check_path(const struct conf_option *option, const char *text, struct error *error)
{
	if (*text == '\0' && (option->flags & OPTION_EMPTY))
		return 0;
	if (*text != '/')
		return error_set(error, 0, "'%.120s' is not an absolute path", text);
	if (strlen(text) >= PATH_MAX)
		return error_set(error, 0, "longer than %d bytes", PATH_MAX - 1);
	if (strcmp(option->name, "control-socket") == 0 && strlen(text) > SOCKET_PATH_MAX)
		return error_set(error, 0, "longer than %d bytes", SOCKET_PATH_MAX);
	if (strcmp(option->name, "control-socket") == 0 && text[strlen(text) - 1] == '/')
		return error_set(error, 0, "'%.120s' is a folder", text);
	return 0;
}

static int check_variable(const char *text, struct error *error)
{
	if (!conf_is_variable(text))
		return error_set(error, 0, "'%.120s' is no name of a variable", text);
	return 0;
}

static int check_user(struct conf_checker *checker, struct conf_value *value, struct error *error)
{
	uid_t uid;
	gid_t gid;

	if (conf_ident_user(checker->ident, value->text, &uid, &gid, error) != 0)
		return -1;
	value->number = uid;
	return 0;
}

static int check_group(struct conf_checker *checker, const struct conf_option *option,
	struct conf_value *value, struct error *error)
{
	/* Programs keep superd's own groups, and a socket's file may be given to any of them. */
	bool supplementary = strcmp(option->name, "group") != 0;
	gid_t gid;

	if (conf_ident_group(checker->ident, value->text, supplementary, &gid, error) != 0)
		return -1;
	value->number = gid;
	return 0;
}

static int check_endpoint(
	struct conf_checker *checker, struct conf_value *value, struct error *error)
{
	value->endpoint = conf_pool_alloc(checker->tree->pool, sizeof(*value->endpoint));
	return conf_endpoint_parse(value->text, value->endpoint, error);
}

static int check_hours(const char *text, struct error *error)
{
	struct hours hours = {0};

	return hours_add(&hours, text, error);
}

static int check_template(
	struct conf_checker *checker, const struct conf_value *value, struct error *error)
{
	const struct conf_sections *templates = &checker->tree->templates;
	struct conf_suggest suggest = conf_suggest_begin(value->text);
	char hint[CONF_SUGGEST_SIZE];
	size_t i;

	if (checker->incomplete || conf_sections_find(templates, value->text) != NULL)
		return 0;
	/* Where nothing more is told, nothing need be compared with everything. */
	for (i = 0; i < templates->count && checker->tree->report->problem_count < CONF_REPORT_MAX;
		i++)
		conf_suggest_offer(&suggest, templates->list[i]->title);
	return error_set(
		error, 0, "no template '%.80s'%s", value->text, conf_suggest_text(&suggest, hint));
}

static int check_value(struct conf_checker *checker, const struct conf_option *option,
	struct conf_value *value, struct error *error)
{
	if ((option->flags & OPTION_PRIVILEGED) && !checker->ident->root && *value->text != '\0')
		return error_set(error, 0, "only a superd that was started as root can do this");
	switch (option->kind) {
	case KIND_STRING:
		return check_string(option, value->text, error);
	case KIND_STRINGS:
		return strlen(value->text) > CONF_STRING_MAX
			       ? error_set(error, 0, "an argument is longer than %d bytes",
					 CONF_STRING_MAX)
			       : 0;
	case KIND_PATH:
		return check_path(option, value->text, error);
	case KIND_USER:
		return check_user(checker, value, error);
	case KIND_GROUP:
	case KIND_GROUPS:
		return check_group(checker, option, value, error);
	case KIND_NAMES:
		return check_template(checker, value, error);
	case KIND_VARIABLES:
		return check_variable(value->text, error);
	case KIND_ENDPOINTS:
		return check_endpoint(checker, value, error);
	case KIND_NETWORKS:
		return conf_network_parse(checker->networks, value->text, value->file, value->line,
			&value->networks, error);
	case KIND_HOURS:
		return check_hours(value->text, error);
	default:
		return conf_value_parse(option, value->text, &value->number, error);
	}
}

static void check_setting(struct conf_checker *checker, struct conf_setting *setting)
{
	struct conf_report *report = checker->tree->report;
	const struct conf_option *option = setting->option;
	bool bad = false;
	struct error error;
	size_t i;

	if (setting->bad)
		return;
	if (option == NULL) {
		if (strlen(setting->values[0].text) > CONF_STRING_MAX)
			conf_setting_problem(
				report, setting, "longer than %d bytes", CONF_STRING_MAX);
		return;
	}
	for (i = 0; i < setting->count; i++) {
		if (check_value(checker, option, &setting->values[i], &error) == 0)
			continue;
		conf_value_problem(report, setting, &setting->values[i], "%s", error.text);
		bad = true;
	}
	if (setting->count == 0 &&
		(option->kind == KIND_STRINGS || option->kind == KIND_ENDPOINTS)) {
		conf_setting_problem(report, setting, "the list is empty");
		bad = true;
	}
	setting->bad = bad;
}

static void check_section(struct conf_checker *checker, struct conf_section *section)
{
	struct conf_setting *setting;
	size_t i;

	for (setting = section->first; setting != NULL; setting = setting->next)
		check_setting(checker, setting);
	for (i = 0; i < BLOCK_COUNT; i++) {
		if (section->inner[i] != NULL)
			check_section(checker, section->inner[i]);
	}
}

/* A template named twice in `use` would change nothing; somebody meant something else. */
static void check_use(
	struct conf_checker *checker, const struct conf_section *service, unsigned number)
{
	struct conf_setting *use = conf_section_find(service, "use", strlen("use"));
	struct conf_section *template;
	size_t i;

	for (i = 0; use != NULL && i < use->count; i++) {
		template = conf_sections_find(&checker->tree->templates, use->values[i].text);
		if (template == NULL)
			continue;
		if (template->used_by == number) {
			conf_value_problem(checker->tree->report, use, &use->values[i],
				"'%s' stands here twice", template->title);
			use->bad = true;
		}
		template->used_by = number;
	}
}

static void check_required(struct conf_checker *checker, const struct conf_section *service)
{
	const struct conf_option *option;

	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (!(option->flags & OPTION_REQUIRED) ||
			conf_section_find(service, option->name, strlen(option->name)) != NULL)
			continue;
		conf_section_message(checker->tree->report, CONF_PROBLEM, service, NULL,
			service->file, service->line, "%s is missing", option->name);
	}
}

void conf_check(struct conf_tree *tree, struct conf_ident *ident,
	struct conf_network_reader *networks, bool incomplete)
{
	struct conf_checker checker = {
		.tree = tree, .ident = ident, .networks = networks, .incomplete = incomplete};
	size_t i;

	check_section(&checker, tree->top);
	for (i = 0; i < tree->templates.count; i++)
		check_section(&checker, tree->templates.list[i]);
	for (i = 0; i < tree->services.count; i++) {
		check_section(&checker, tree->services.list[i]);
		check_required(&checker, tree->services.list[i]);
		check_use(&checker, tree->services.list[i], (unsigned)i + 1);
	}
}

/* The fallback of a list has blanks between its elements. */
static void builtin_setting(
	struct conf_tree *tree, struct conf_section *section, const struct conf_option *option)
{
	const char *text = option->fallback;
	struct conf_setting *setting;
	size_t length;

	setting = conf_setting_new(tree, section, option, option->name, NULL, 0);
	if (!conf_option_is_list(option)) {
		conf_setting_add(tree, setting, text, NULL, 0);
		return;
	}
	for (; *text != '\0'; text += length + strspn(text + length, " ")) {
		length = strcspn(text, " ");
		conf_setting_add(
			tree, setting, conf_pool_string(tree->pool, text, length), NULL, 0);
	}
}

struct conf_section *conf_check_builtin(
	struct conf_tree *tree, struct conf_ident *ident, enum conf_block_kind kind)
{
	struct conf_report silent = {.pool = tree->pool};
	struct conf_tree unseen = {.pool = tree->pool, .report = &silent};
	/* A default that this system cannot fulfil is a problem where it is needed. */
	struct conf_checker checker = {.tree = &unseen, .ident = ident};
	const struct conf_option *option;
	struct conf_section *section;
	enum conf_block_kind inner;

	section = conf_section_new(tree, conf_block_get(kind), NULL, NULL, 0);
	for (option = conf_schema_options(); option->name != NULL; option++) {
		if (option->block == kind && option->fallback != NULL &&
			(ident->root || !(option->flags & OPTION_ROOT)))
			builtin_setting(tree, section, option);
	}
	for (inner = BLOCK_TOP + 1; inner < BLOCK_COUNT; inner++) {
		const struct conf_block *block = conf_block_get(inner);

		/* defaults, template and service have no defaults of their own. */
		if (block->inside != 0 && inner != BLOCK_DEFAULTS && !block->titled &&
			conf_block_inside(block, kind))
			section->inner[inner] = conf_check_builtin(tree, ident, inner);
	}
	check_section(&checker, section);
	return section;
}
