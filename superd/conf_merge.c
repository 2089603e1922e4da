/*
 * conf_merge: chains of sections, looked through from the front.
 */
#include "config.h"
#include "superd/conf_merge.h"

#include <string.h>

static void layers_add(struct conf_tree *tree, struct conf_layers *layers, size_t *capacity,
	const struct conf_section *section)
{
	if (section == NULL)
		return;
	layers->sections = conf_pool_grow(
		tree->pool, layers->sections, layers->count, capacity, sizeof(section));
	layers->sections[layers->count++] = section;
}

struct conf_layers conf_layers_of_top(struct conf_tree *tree, const struct conf_builtin *builtin)
{
	struct conf_layers layers = {0};
	size_t capacity = 0;

	layers_add(tree, &layers, &capacity, tree->top);
	layers_add(tree, &layers, &capacity, builtin->top);
	return layers;
}

struct conf_layers conf_layers_of_service(struct conf_tree *tree,
	const struct conf_builtin *builtin, const struct conf_section *service)
{
	const struct conf_setting *use = conf_section_find(service, "use", strlen("use"));
	struct conf_layers layers = {0};
	size_t i, capacity = 0;

	layers_add(tree, &layers, &capacity, service);
	for (i = 0; use != NULL && i < use->count; i++)
		layers_add(tree, &layers, &capacity,
			conf_sections_find(&tree->templates, use->values[i].text));
	layers_add(tree, &layers, &capacity, tree->top->inner[BLOCK_DEFAULTS]);
	/* Of the top level a service sees the log block only: conf_layer_block(). */
	layers_add(tree, &layers, &capacity, tree->top);
	layers_add(tree, &layers, &capacity, builtin->service);
	return layers;
}

const struct conf_section *conf_layer_block(
	const struct conf_section *layer, enum conf_block_kind block)
{
	bool top = layer->block->kind == BLOCK_TOP;

	if (block == BLOCK_TOP)
		return top ? layer : NULL;
	if (block == BLOCK_SERVICE)
		return top ? NULL : layer;
	return layer->inner[block];
}

/* The setting of option in one layer. */
static const struct conf_setting *layer_find(
	const struct conf_section *layer, const struct conf_option *option)
{
	const struct conf_section *section = conf_layer_block(layer, option->block);
	const struct conf_setting *setting;

	if (section == NULL)
		return NULL;
	for (setting = section->first; setting != NULL; setting = setting->next) {
		if (setting->option == option)
			return setting;
	}
	return NULL;
}

const struct conf_setting *conf_merge_find(
	const struct conf_layers *layers, const struct conf_option *option)
{
	const struct conf_setting *setting = NULL;
	size_t i;

	for (i = 0; i < layers->count && setting == NULL; i++)
		setting = layer_find(layers->sections[i], option);
	return setting;
}

const struct conf_setting *conf_merge_find_name(
	const struct conf_layers *layers, enum conf_block_kind block, const char *name)
{
	return conf_merge_find(layers, conf_schema_find(block, name, strlen(name)));
}

const struct conf_setting *conf_merge_find_filled(
	const struct conf_layers *layers, const struct conf_option *option)
{
	const struct conf_setting *setting;
	size_t i;

	for (i = 0; i < layers->count; i++) {
		setting = layer_find(layers->sections[i], option);
		if (setting != NULL && setting->count > 0)
			return setting;
		if (setting != NULL && !setting->add)
			break;
	}
	return NULL;
}

struct conf_list conf_merge_list(
	struct conf_pool *pool, const struct conf_layers *layers, const struct conf_option *option)
{
	const struct conf_setting *setting;
	struct conf_list list = {0};
	size_t i, j, end = 0, total = 0;

	/* Down to the first layer that does not add ... */
	for (i = 0; i < layers->count; i++) {
		setting = layer_find(layers->sections[i], option);
		if (setting == NULL)
			continue;
		end = i + 1;
		total += setting->count;
		list.bad |= setting->bad;
		if (!setting->add)
			break;
	}
	list.values = conf_pool_alloc(pool, (total + 1) * sizeof(struct conf_value *));
	/* ... and up again. */
	for (i = end; i-- > 0;) {
		setting = layer_find(layers->sections[i], option);
		for (j = 0; setting != NULL && j < setting->count; j++)
			list.values[list.count++] = &setting->values[j];
	}
	return list;
}

size_t conf_merge_env(struct conf_pool *pool, const struct conf_layers *layers,
	const struct conf_setting ***settings)
{
	struct conf_map places = {.pool = pool};
	const struct conf_setting **list = NULL;
	size_t i, count = 0, capacity = 0;

	for (i = layers->count; i-- > 0;) {
		const struct conf_section *env = conf_layer_block(layers->sections[i], BLOCK_ENV);
		const struct conf_setting *setting = env == NULL ? NULL : env->first;

		for (; setting != NULL; setting = setting->next) {
			size_t length = strlen(setting->name);
			uintptr_t place = (uintptr_t)conf_map_get(&places, setting->name, length);

			if (place == 0) {
				list = conf_pool_grow(
					pool, list, count, &capacity, sizeof(setting));
				place = ++count;
				conf_map_put(&places, setting->name, length, (void *)place);
			}
			list[place - 1] = setting;
		}
	}
	*settings = list;
	return count;
}
