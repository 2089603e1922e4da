/*
 * conf_build_control: who may use the control socket. Its file has one mode and one group; what
 * these would keep out although the configuration lets it in is a problem.
 */
#include "config.h"
#include "superd/conf_build.h"

#include <sys/stat.h>

/* The mode that nobody set, where a group is to get in. */
#define CONTROL_MODE_GROUP (S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP)

static const struct conf_setting *control_setting(struct conf_builder *builder, const char *name)
{
	return conf_merge_find_name(&builder->top, BLOCK_TOP, name);
}

static gid_t control_gid(const struct conf_setting *setting)
{
	return setting == NULL || setting->bad ? (gid_t)-1 : (gid_t)setting->values[0].number;
}

/* Options that a file sets for a socket that is not to be. */
static void control_check_unused(struct conf_builder *builder)
{
	static const char *const names[] = {"control-mode", "control-group", "status-group"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct conf_setting *setting = control_setting(builder, names[i]);

		if (setting != NULL && setting->file != NULL && !setting->bad)
			conf_setting_problem(builder->tree->report, setting,
				"has no effect with control-socket = \"\"");
	}
}

void conf_build_control(struct conf_builder *builder)
{
	const struct conf_setting *path = control_setting(builder, "control-socket");
	const struct conf_setting *mode = control_setting(builder, "control-mode");
	const struct conf_setting *control = control_setting(builder, "control-group");
	const struct conf_setting *status = control_setting(builder, "status-group");
	struct conf_report *report = builder->tree->report;
	struct conf *conf = builder->conf;
	bool both;

	conf->control_set = path->file != NULL;
	conf->control_group = control_gid(control);
	conf->status_group = control_gid(status);
	if (path->bad || mode->bad)
		return;
	if (conf->control_socket == NULL) {
		control_check_unused(builder);
		return;
	}
	if (mode->file == NULL &&
		(conf->control_group != (gid_t)-1 || conf->status_group != (gid_t)-1))
		conf->control_mode = CONTROL_MODE_GROUP;
	both = conf->control_group != (gid_t)-1 && conf->status_group != conf->control_group;
	if (conf->control_group != (gid_t)-1 && !(conf->control_mode & S_IWGRP))
		conf_setting_problem(report, control,
			"has no effect with control-mode %04o (write control-mode = 0660)",
			(unsigned)conf->control_mode);
	if (conf->status_group == (gid_t)-1)
		return;
	if (both && !(conf->control_mode & S_IWOTH))
		conf_setting_problem(report, status,
			"has no effect with control-mode %04o: the file's group is control-group "
			"(write control-mode = 0666; others are turned away all the same)",
			(unsigned)conf->control_mode);
	else if (!both && !(conf->control_mode & S_IWGRP))
		conf_setting_problem(report, status,
			"has no effect with control-mode %04o (write control-mode = 0660)",
			(unsigned)conf->control_mode);
}
