/*
 * conf_value: text to numbers and back, strictly: all of the text counts, nothing is guessed.
 *
 * The parsers return 0, or -1 with *error, whose text goes behind "NAME: ".
 */
#ifndef SUPERD_CONF_VALUE_H
#define SUPERD_CONF_VALUE_H

#include "superd/conf_schema.h"
#include "superd/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What "unlimited" reads as. */
#define CONF_UNLIMITED INT64_MAX

/* yes no true false on off: 1 or 0. */
int conf_value_bool(const char *text, int64_t *value, struct error *error);

/* A decimal number, "-" allowed, in min..max; "010" is ten. */
int conf_value_integer(
	const char *text, int64_t min, int64_t max, int64_t *value, struct error *error);

/* An octal number from 0 to max, with or without leading 0. */
int conf_value_octal(const char *text, int64_t max, int64_t *value, struct error *error);

/* Bytes: "4096", "64K", "32M", "1G". */
int conf_value_size(
	const char *text, int64_t min, int64_t max, int64_t *value, struct error *error);

/* Nanoseconds: "500ms", "30s", "5m", "2h", "1d", sums in that order "1m30s"; "30" is 30s. */
int conf_value_time(
	const char *text, int64_t min, int64_t max, int64_t *value, struct error *error);

/* One of words (its value). */
int conf_value_word(
	const char *text, const struct conf_word *words, int64_t *value, struct error *error);

/*
 * Any of the above as option's row says, with its range; "unlimited" where it allows it.
 * Not for strings, users, lists of those.
 */
int conf_value_parse(
	const struct conf_option *option, const char *text, int64_t *value, struct error *error);

/* Whether name is a variable's: letters, digits and '_', not a digit first. */
bool conf_is_variable(const char *name);

/* Longest text of conf_value_format(), with its NUL. */
#define CONF_VALUE_SIZE 48

/* Writes value as the parser of kind reads it ("1m30s", "64M", "0022"); returns text. */
char *conf_value_format(enum conf_kind kind, int64_t value, char text[CONF_VALUE_SIZE]);

/* The word of that value; NULL where there is none. */
const char *conf_word_name(const struct conf_word *words, int64_t value);

#endif
