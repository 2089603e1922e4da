/*
 * conf_single: the text has each --listen and each line of --set on a line of its own, by which
 * messages find back to the command line.
 */
#include "config.h"
#include "superd/conf_single.h"

#include "superd/conf_string.h"

#include <string.h>

#define NAME_MAX_LENGTH 64 /* as in conf_outline */

/* The text so far and the line that it ends on. */
struct single_writer {
	struct conf_pool *pool;
	char *text;
	size_t length;
	size_t capacity;
	unsigned line;
};

static void single_write(struct single_writer *writer, const char *text)
{
	for (; *text != '\0'; text++) {
		writer->text = conf_pool_grow(
			writer->pool, writer->text, writer->length, &writer->capacity, 1);
		writer->text[writer->length++] = *text;
		writer->line += *text == '\n';
	}
}

/* A string of the command line as a value; quoted even where it need not be. */
static void single_write_value(struct single_writer *writer, const char *value)
{
	const char *quoted = conf_string_quote(writer->pool, value);
	const char *quotes = *quoted == '"' ? "" : "\"";

	single_write(writer, quotes);
	single_write(writer, quoted);
	single_write(writer, quotes);
}

/* "/usr/bin/cat": "cat"; what cannot stand in a name becomes '_'. */
static const char *single_name(struct conf_pool *pool, const char *program)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.+@";
	const char *slash = strrchr(program, '/');
	const char *base = slash != NULL ? slash + 1 : program;
	size_t length = strnlen(base, NAME_MAX_LENGTH);
	char *name = conf_pool_string(pool, base, length);

	if (length == 0)
		return "service";
	for (size_t i = strspn(name, allowed); i < length; i += strspn(name + i, allowed))
		name[i] = '_';
	return name;
}

static void single_part(struct conf_single_text *made, const struct single_writer *writer,
	size_t part, const char *name)
{
	made->parts[part] = (struct conf_file_part){
		.first = writer->line, .file = {.name = name, .order = (unsigned)part}};
}

static const char *single_set(struct conf_pool *pool, const struct conf_single *single)
{
	struct single_writer writer = {.pool = pool};

	for (size_t i = 0; i < single->set_count; i++) {
		single_write(&writer, single->set[i]);
		single_write(&writer, "\n");
	}
	return conf_pool_string(pool, writer.text != NULL ? writer.text : "", writer.length);
}

void conf_single_make(
	struct conf_pool *pool, const struct conf_single *single, struct conf_single_text *made)
{
	struct single_writer writer = {.pool = pool, .line = 1};

	made->set = single_set(pool, single);
	single_part(made, &writer, SINGLE_TOP, CONF_SINGLE_LINE);
	/* With one service its own `instances` is limit enough. The control socket has one name
	   for the whole machine: it is the system's superd's. */
	single_write(&writer, "max-instances = 1000000  control-socket = \"\"\n");
	single_part(made, &writer, SINGLE_LISTEN, CONF_SINGLE_LISTEN);
	single_write(&writer, "service \"");
	single_write(&writer, single_name(pool, single->argv[0]));
	single_write(&writer, "\" { listen = { ");
	for (size_t i = 0; i < single->listen_count; i++) {
		single_write_value(&writer, single->listen[i]);
		single_write(&writer, i + 1 < single->listen_count ? ",\n" : " }\n");
	}
	single_part(made, &writer, SINGLE_PROGRAM, CONF_SINGLE_LINE);
	single_write(&writer, "exec = { ");
	for (const char *const *word = single->argv; *word != NULL; word++) {
		single_write_value(&writer, *word);
		single_write(&writer, word[1] != NULL ? ", " : " }\n");
	}
	single_part(made, &writer, SINGLE_SET, CONF_SINGLE_SET);
	single_write(&writer, made->set);
	single_part(made, &writer, SINGLE_END, CONF_SINGLE_LINE);
	single_write(&writer, "}\n");
	made->text = conf_pool_string(pool, writer.text, writer.length);
}
