/*
 * json_reader: a strict reader for the one form of JSON that the log writes: a flat object of
 * strings and integers, in UTF-8, without controls.
 */
#ifndef TESTS_UNIT_JSON_READER_H
#define TESTS_UNIT_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>

struct json_value {
	const unsigned char *at; /* the reader's own */
	size_t length;           /* SIZE_MAX: there is none of that key */
	char value[8192];        /* a string decoded, the digits of an integer */
};

/* Whether line is such an object and nothing else; the value of key goes to *found. */
bool json_find(const char *line, const char *key, struct json_value *found);

#endif
