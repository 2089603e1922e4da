/*
 * superctl_table: aligned columns that fit a width.
 */
#ifndef SUPERD_SUPERCTL_TABLE_H
#define SUPERD_SUPERCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

enum table_colour { COLOUR_NONE, COLOUR_BAD, COLOUR_WARN, COLOUR_GOOD, COLOUR_TITLE };

struct table_column {
	const char *title;
	bool right;     /* aligned to the right: numbers */
	unsigned least; /* width that it may be cut to where there is no room; 0: it is never cut */
	unsigned order; /* where even that is too wide, the column of the highest order goes first;
			   0: it never goes */
};

struct table;

/* A table of count columns, which outlive it. NULL where memory is out. */
struct table *table_new(const struct table_column *columns, size_t count);

void table_free(struct table *table);

/* The next cell, row after row. What is not printable becomes '?'. Returns 0, or -1 (memory). */
int table_add(struct table *table, enum table_colour colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Prints a line of titles and the rows, at most `rows` of them; returns how many were printed.
 * Lines are at most width wide, 0: as wide as they are. Colours only where coloured says so.
 */
size_t table_print(
	const struct table *table, FILE *stream, size_t width, size_t rows, bool coloured);

/* The escape sequence that begins or (COLOUR_NONE) ends a colour; "" where coloured is false. */
const char *table_escape(enum table_colour colour, bool coloured);

/* Prints text so that nothing in it is more than text: controls become '?'. */
void table_print_text(FILE *stream, const char *text);

#endif
