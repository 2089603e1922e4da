/*
 * conf_loader: the stages in their order: read, check each value, build and check together,
 * tell, print.
 */
#include "config.h"
#include "superd/conf_loader.h"
#include "superd/conf_build.h"
#include "superd/conf_check.h"
#include "superd/conf_dump.h"
#include "superd/conf_source.h"

static void loader_read(
	struct conf_loader *loader, struct conf_source *source, const struct conf_tree *tree)
{
	struct conf_file *file = conf_pool_alloc(tree->pool, sizeof(*file));

	file->name = loader->request->file;
	if (loader->request->single != NULL)
		conf_source_single(source, loader->request->file, loader->request->single);
	else if (loader->text != NULL)
		conf_source_text(source, loader->request->file, loader->text, loader->length);
	else
		conf_source_file(source, loader->request->file);
	if (!conf_source_is_incomplete(source) && tree->services.seen == 0)
		conf_report_add(tree->report, CONF_PROBLEM, file, 0, "no service is defined");
}

int conf_loader_run(struct conf_loader *loader)
{
	struct conf_pool *pool = &loader->pool;
	struct conf_report report = {.pool = pool};
	struct conf_builder builder = {
		.request = loader->request, .arena = loader->arena, .conf = loader->conf};
	struct conf_source *source;
	struct conf_network_reader *networks;
	struct conf_ident ident;
	struct conf_tree tree;
	bool incomplete;

	*pool = (struct conf_pool){.full_cb = loader->full_cb, .owner = loader->owner};
	conf_tree_init(&tree, pool, &report);
	source = conf_source_new(&tree);
	loader_read(loader, source, &tree);
	incomplete = conf_source_is_incomplete(source);
	conf_ident_init(&ident, pool);
	networks = conf_network_reader_new(pool, &report, &ident);
	conf_check(&tree, &ident, networks, incomplete);
	if (!incomplete) {
		builder.tree = &tree;
		builder.ident = &ident;
		builder.networks = networks;
		builder.programs.pool = builder.claims.pool = builder.arena_names.pool = pool;
		builder.acls.pool = pool;
		conf_build(&builder);
	}
	if (report.problem_count == 0 && loader->print != NULL)
		conf_dump(&builder, loader->print);
	conf_report_send(&report, loader->message_cb, loader->owner);
	conf_pool_free(pool);
	return report.problem_count == 0 ? 0 : -1;
}
