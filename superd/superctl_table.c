/*
 * superctl_table: cells are kept as text; widths are found when it is printed.
 */
#include "config.h"
#include "superd/superctl_table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2 /* blanks between columns */

struct cell {
	char *text;
	enum table_colour colour;
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	struct cell *cells;
	size_t used;
	size_t size;
};

struct table *table_new(const struct table_column *columns, size_t count)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->columns = columns;
	table->column_count = count;
	return table;
}

void table_free(struct table *table)
{
	if (table == NULL)
		return;
	for (size_t i = 0; i < table->used; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

static bool byte_continues(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

static char byte_shown(char byte)
{
	if ((unsigned char)byte < 0x20 || byte == 0x7f)
		return '?';
	return byte;
}

void table_print_text(FILE *stream, const char *text)
{
	for (; *text != '\0'; text++)
		fputc(byte_shown(*text), stream);
}

int table_add(struct table *table, enum table_colour colour, const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	if (table->used == table->size) {
		size_t size = table->size * 2 + 64;
		struct cell *grown = reallocarray(table->cells, size, sizeof(*grown));

		if (grown == NULL)
			return -1;
		table->cells = grown;
		table->size = size;
	}
	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return -1;
	for (int i = 0; i < length; i++)
		text[i] = byte_shown(text[i]);
	table->cells[table->used++] = (struct cell){.text = text, .colour = colour};
	return 0;
}

/* Characters, of UTF-8 where it is that. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += !byte_continues(*text);
	return width;
}

/* The bytes of the first width characters. */
static size_t text_bytes(const char *text, size_t width)
{
	size_t length = 0;

	while (text[length] != '\0' && (width > 0 || byte_continues(text[length])))
		width -= !byte_continues(text[length++]);
	return length;
}

/* --- widths -------------------------------------------------------------------------------- */

static void widths_natural(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = text_width(table->columns[i].title);
	for (size_t i = 0; i < table->used; i++) {
		size_t column = i % table->column_count;
		size_t width = text_width(table->cells[i].text);

		if (width > widths[column])
			widths[column] = width;
	}
}

/* Of a whole line; a column of width 0 is not there. */
static size_t widths_sum(const struct table *table, const size_t widths[TABLE_COLUMNS_MAX])
{
	size_t sum = 0;

	for (size_t i = 0; i < table->column_count; i++)
		sum += widths[i] > 0 ? widths[i] + GAP : 0;
	return sum > GAP ? sum - GAP : 0;
}

/* Cuts the columns that may be cut, the widest first, until the line fits or nothing is left. */
static void widths_cut(const struct table *table, size_t width, size_t widths[TABLE_COLUMNS_MAX])
{
	size_t sum;

	while ((sum = widths_sum(table, widths)) > width) {
		size_t widest = SIZE_MAX;

		for (size_t i = 0; i < table->column_count; i++) {
			if (table->columns[i].least > 0 && widths[i] > table->columns[i].least &&
				(widest == SIZE_MAX || widths[i] > widths[widest]))
				widest = i;
		}
		if (widest == SIZE_MAX)
			return;
		widths[widest]--;
	}
}

/* Takes the column of the highest order away; false where none may go. */
static bool widths_drop(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
	size_t last = SIZE_MAX;

	for (size_t i = 0; i < table->column_count; i++) {
		if (widths[i] > 0 && table->columns[i].order > 0 &&
			(last == SIZE_MAX || table->columns[i].order > table->columns[last].order))
			last = i;
	}
	if (last == SIZE_MAX)
		return false;
	widths[last] = 0;
	return true;
}

static void widths_fit(const struct table *table, size_t width, size_t widths[TABLE_COLUMNS_MAX])
{
	size_t kept[TABLE_COLUMNS_MAX];
	size_t all = sizeof(kept);

	widths_natural(table, widths);
	if (width == 0)
		return;
	for (;;) {
		memcpy(kept, widths, all);
		widths_cut(table, width, widths);
		if (widths_sum(table, widths) <= width)
			return;
		memcpy(widths, kept, all); /* with a column less the others need not be cut */
		if (!widths_drop(table, widths))
			break;
	}
	widths_cut(table, width, widths);
}

/* --- printing ------------------------------------------------------------------------------ */

const char *table_escape(enum table_colour colour, bool coloured)
{
	static const char *const escapes[] = {
		"\033[0m", "\033[31m", "\033[33m", "\033[32m", "\033[1m"};

	return coloured ? escapes[colour] : "";
}

static void print_blanks(FILE *stream, size_t count)
{
	while (count-- > 0)
		fputc(' ', stream);
}

/* last: nothing stands behind it, so it is not filled up. */
static void print_cell(FILE *stream, const struct table_column *column, const struct cell *cell,
	size_t width, bool last, bool coloured)
{
	size_t own = text_width(cell->text);
	size_t shown = own > width ? width - 1 : own; /* the last character says that it is cut */
	size_t fill = own > width ? 0 : width - own;

	if (column->right)
		print_blanks(stream, fill);
	if (cell->colour != COLOUR_NONE)
		fputs(table_escape(cell->colour, coloured), stream);
	fwrite(cell->text, 1, text_bytes(cell->text, shown), stream);
	if (own > width)
		fputc('~', stream);
	if (cell->colour != COLOUR_NONE)
		fputs(table_escape(COLOUR_NONE, coloured), stream);
	if (!column->right && !last)
		print_blanks(stream, fill);
}

static void print_row(const struct table *table, FILE *stream,
	const size_t widths[TABLE_COLUMNS_MAX], const struct cell *cells, bool coloured)
{
	size_t last = 0;
	bool first = true;

	for (size_t i = 0; i < table->column_count; i++) {
		if (widths[i] > 0 && (cells[i].text[0] != '\0' || table->columns[i].right))
			last = i;
	}
	for (size_t i = 0; i <= last; i++) {
		if (widths[i] == 0)
			continue;
		if (!first)
			print_blanks(stream, GAP);
		first = false;
		print_cell(stream, &table->columns[i], &cells[i], widths[i], i == last, coloured);
	}
	fputc('\n', stream);
}

size_t table_print(
	const struct table *table, FILE *stream, size_t width, size_t rows, bool coloured)
{
	size_t count = table->used / table->column_count;
	struct cell titles[TABLE_COLUMNS_MAX];
	size_t widths[TABLE_COLUMNS_MAX];

	if (count > rows)
		count = rows;
	widths_fit(table, width, widths);
	for (size_t i = 0; i < table->column_count; i++)
		titles[i] = (struct cell){(char *)(uintptr_t)table->columns[i].title, COLOUR_TITLE};
	print_row(table, stream, widths, titles, coloured);
	for (size_t i = 0; i < count; i++)
		print_row(table, stream, widths, &table->cells[i * table->column_count], coloured);
	return count;
}
