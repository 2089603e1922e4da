/*
 * conf_network: a list is read through one small buffer and its rules are kept in pieces, so
 * that nothing is copied while they become more and no line costs an allocation.
 */
#include "config.h"
#include "superd/conf_network.h"
#include "superd/acl_text.h"
#include "superd/conf_file.h"
#include "superd/conf_map.h"
#include "superd/conf_suggest.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Rules of a piece of a list; a value that is none needs ACL_TEXT_RULES. */
#define PIECE_RULES ((size_t)32768)

/* Longest line of a list, with its newline. */
#define LIST_LINE_MAX ((size_t)65536)

struct conf_network_piece {
	struct conf_network_piece *next;
	size_t count;
	size_t capacity;
	struct acl_rule rules[];
};

/* A list that was read. */
struct network_list {
	struct conf_file file; /* messages point at it */
	struct conf_networks networks;
};

struct conf_network_reader {
	struct conf_pool *pool;
	struct conf_report *report;
	struct conf_ident *ident;
	struct conf_map lists;   /* struct network_list by path */
	struct conf_map numbers; /* of sources by name, one more than it is */
	const char **sources;
	size_t source_count;
	size_t source_capacity;
};

/* A list being read. */
struct list_read {
	struct conf_network_reader *reader;
	struct network_list *list;
	struct acl_rule origin; /* source and line of what comes next */
	char *bytes;            /* LIST_LINE_MAX of them */
	size_t used;
	bool skip; /* the rest of a line that is too long */
};

struct conf_network_reader *conf_network_reader_new(
	struct conf_pool *pool, struct conf_report *report, struct conf_ident *ident)
{
	struct conf_network_reader *reader = conf_pool_alloc(pool, sizeof(*reader));

	reader->pool = pool;
	reader->report = report;
	reader->ident = ident;
	reader->lists.pool = pool;
	reader->numbers.pool = pool;
	return reader;
}

/* The number of a file's name, given out in the order of first use. */
static int source_number(
	struct conf_network_reader *reader, const char *name, uint16_t *number, struct error *error)
{
	uintptr_t found = (uintptr_t)conf_map_get(&reader->numbers, name, strlen(name));

	if (found == 0 && reader->source_count > UINT16_MAX)
		return error_set(error, 0, "more than %d files with networks", UINT16_MAX + 1);
	if (found == 0) {
		reader->sources = conf_pool_grow(reader->pool, reader->sources,
			reader->source_count, &reader->source_capacity, sizeof(char *));
		reader->sources[reader->source_count] = name;
		found = ++reader->source_count;
		conf_map_put(&reader->numbers, name, strlen(name), (void *)found);
	}
	*number = (uint16_t)(found - 1);
	return 0;
}

/* Room for one more value behind what networks has. */
static struct acl_rule *networks_room(
	struct conf_pool *pool, struct conf_networks *networks, size_t piece_rules)
{
	struct conf_network_piece *piece = networks->last;

	if (piece == NULL || piece->count + ACL_TEXT_RULES > piece->capacity) {
		piece = conf_pool_alloc(
			pool, sizeof(*piece) + piece_rules * sizeof(struct acl_rule));
		piece->capacity = piece_rules;
		if (networks->last == NULL)
			networks->first = piece;
		else
			networks->last->next = piece;
		networks->last = piece;
	}
	return &piece->rules[piece->count];
}

static void networks_added(struct conf_networks *networks, size_t count)
{
	networks->last->count += count;
	networks->count += count;
}

/* --- one value ----------------------------------------------------------------------------- */

/* "user:NAME" or "group:NAME". */
static int network_parse_identity(struct conf_network_reader *reader, const char *text,
	const struct acl_rule *origin, struct acl_rule *rule, struct error *error)
{
	gid_t gid;
	uid_t uid;

	*rule = *origin;
	rule->prefix_length = 0;
	if (strncmp(text, "user:", 5) == 0) {
		if (conf_ident_find_user(reader->ident, text + 5, &uid, &gid, error) != 0)
			return -1;
		rule->kind = ACL_USER;
		rule->u.id = uid;
	} else {
		if (conf_ident_find_group(reader->ident, text + 6, &gid, error) != 0)
			return -1;
		rule->kind = ACL_GROUP;
		rule->u.id = gid;
	}
	return 0;
}

static bool network_begins(const char *text, size_t length, const char *prefix)
{
	size_t wanted = strlen(prefix);

	return length >= wanted && memcmp(text, prefix, wanted) == 0;
}

static bool network_is_identity(const char *text, size_t length)
{
	return network_begins(text, length, "user:") || network_begins(text, length, "group:");
}

/* Says in *error the word or prefix that was probably meant, where there is one. */
static void network_suggest(struct conf_pool *pool, const char *text, struct error *error)
{
	static const char *const words[] = {
		"all", "localhost", "private", "link-local", "user:", "group:", "file:"};
	const char *colon = strchr(text, ':');
	const char *word =
		colon == NULL ? text : conf_pool_string(pool, text, (size_t)(colon - text) + 1);
	struct conf_suggest suggest = conf_suggest_begin(word);
	char hint[CONF_SUGGEST_SIZE];
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		conf_suggest_offer(&suggest, words[i]);
	if (suggest.best != NULL)
		error_set(error, 0, "'%.64s' is no network%s", text,
			conf_suggest_text(&suggest, hint));
}

/* --- a list -------------------------------------------------------------------------------- */

/* The word of a line without blanks and comment, with a NUL; the pool's. */
static const char *list_word(struct conf_pool *pool, const char *line, size_t length)
{
	const char *comment = memchr(line, '#', length);

	if (comment != NULL)
		length = (size_t)(comment - line);
	while (length > 0 && strchr(" \t\r", line[length - 1]) != NULL)
		length--;
	return conf_pool_string(pool, line, length);
}

/* One line without its newline. */
static void list_line(struct list_read *read, const char *line, size_t length)
{
	struct conf_network_reader *reader = read->reader;
	struct conf_networks *networks = &read->list->networks;
	struct acl_rule *room = networks_room(reader->pool, networks, PIECE_RULES);
	struct error error;
	size_t count = 1;
	int rc;

	while (length > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		length--;
	}
	if (network_is_identity(line, length))
		rc = network_parse_identity(
			reader, list_word(reader->pool, line, length), &read->origin, room, &error);
	else if (network_begins(line, length, "file:"))
		rc = error_set(&error, 0, "a list cannot name another one");
	else
		rc = acl_text_parse_line(line, length, &read->origin, room, &count, &error);
	if (rc == 0)
		networks_added(networks, count);
	else
		conf_report_add(reader->report, CONF_PROBLEM, &read->list->file, read->origin.line,
			"%s", error.text);
}

/* Takes all complete lines from the buffer; at_end: what is left is one too. */
static void list_take(struct list_read *read, bool at_end)
{
	char *line = read->bytes, *limit = read->bytes + read->used, *end;

	for (;;) {
		end = memchr(line, '\n', (size_t)(limit - line));
		if (end == NULL && (!at_end || line == limit))
			break;
		read->origin.line++;
		if (!read->skip)
			list_line(read, line, (size_t)((end == NULL ? limit : end) - line));
		read->skip = false;
		line = end == NULL ? limit : end + 1;
	}
	read->used = (size_t)(limit - line);
	memmove(read->bytes, line, read->used);
	if (read->used < LIST_LINE_MAX)
		return;
	if (!read->skip)
		conf_report_add(read->reader->report, CONF_PROBLEM, &read->list->file,
			read->origin.line + 1, "the line is longer than %zu bytes",
			LIST_LINE_MAX - 1);
	read->skip = true;
	read->used = 0;
}

static int list_read_all(struct list_read *read, int fd, struct error *error)
{
	size_t total = 0;
	ssize_t count;

	do {
		count = conf_file_get(
			fd, read->bytes + read->used, LIST_LINE_MAX - read->used, error);
		if (count < 0)
			return -1;
		read->used += (size_t)count;
		total += (size_t)count;
		/* It may grow while it is read. */
		if (total > (size_t)CONF_NETWORK_LIST_MIB << 20)
			return error_set(error, 0, "larger than %d MiB", CONF_NETWORK_LIST_MIB);
		list_take(read, count == 0);
	} while (count > 0);
	return 0;
}

/* Reads the list of that path, or finds it read already. */
static int list_get(struct conf_network_reader *reader, const char *path,
	const struct conf_networks **networks, struct error *error)
{
	struct network_list *list = conf_map_get(&reader->lists, path, strlen(path));
	struct list_read read = {.reader = reader};
	struct stat status;
	struct error why;
	int fd, rc;

	if (list != NULL) {
		*networks = &list->networks;
		return 0;
	}
	if (*path != '/')
		return error_set(error, 0, "'file:%.120s': the path is not absolute", path);
	list = conf_pool_alloc(reader->pool, sizeof(*list));
	list->file.name = path;
	if (source_number(reader, path, &read.origin.source, error) != 0)
		return -1;
	/* Behind the configuration's own files. */
	list->file.order = UINT_MAX / 2 + read.origin.source;
	fd = conf_file_open(path, CONF_NETWORK_LIST_MIB, &status, &why);
	if (fd < 0)
		return error_set(error, 0, "%.200s: %s", path, why.text);
	read.list = list;
	read.bytes = conf_pool_alloc(reader->pool, LIST_LINE_MAX);
	rc = list_read_all(&read, fd, &why);
	close(fd);
	if (rc != 0)
		return error_set(error, 0, "%.200s: %s", path, why.text);
	conf_map_put(&reader->lists, path, strlen(path), list);
	*networks = &list->networks;
	return 0;
}

int conf_network_parse(struct conf_network_reader *reader, const char *text,
	const struct conf_file *file, unsigned line, const struct conf_networks **networks,
	struct error *error)
{
	struct acl_rule origin = {.line = line}, *room;
	struct conf_networks *made;
	size_t count = 1;

	if (strncmp(text, "file:", 5) == 0)
		return list_get(reader, text + 5, networks, error);
	if (source_number(reader, file->name, &origin.source, error) != 0)
		return -1;
	made = conf_pool_alloc(reader->pool, sizeof(*made));
	room = networks_room(reader->pool, made, ACL_TEXT_RULES);
	if (network_is_identity(text, strlen(text))) {
		if (network_parse_identity(reader, text, &origin, room, error) != 0)
			return -1;
	} else if (acl_text_parse(text, strlen(text), &origin, room, &count, error) != 0) {
		network_suggest(reader->pool, text, error);
		return -1;
	}
	networks_added(made, count);
	*networks = made;
	return 0;
}

/* --- the result ---------------------------------------------------------------------------- */

struct acl_rule *conf_networks_copy(
	const struct conf_networks *networks, enum acl_list list, struct acl_rule *to)
{
	const struct conf_network_piece *piece;
	size_t i;

	for (piece = networks->first; piece != NULL; piece = piece->next) {
		memcpy(to, piece->rules, piece->count * sizeof(*to));
		for (i = 0; i < piece->count; i++)
			to[i].list = (uint8_t)list;
		to += piece->count;
	}
	return to;
}

const char *const *conf_network_sources(const struct conf_network_reader *reader, size_t *count)
{
	*count = reader->source_count;
	return reader->sources;
}
