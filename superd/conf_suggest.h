/*
 * conf_suggest: "did you mean": the nearest of some words to a misspelt one.
 */
#ifndef SUPERD_CONF_SUGGEST_H
#define SUPERD_CONF_SUGGEST_H

#include <stddef.h>

/* Start it with conf_suggest_begin(), offer candidates, then look at best. */
struct conf_suggest {
	const char *word;
	const char *best; /* NULL: nothing is near enough */
	unsigned distance;
};

struct conf_suggest conf_suggest_begin(const char *word);

void conf_suggest_offer(struct conf_suggest *suggest, const char *candidate);

/* Longest text of conf_suggest_text(), with its NUL. */
#define CONF_SUGGEST_SIZE 96

/* " (did you mean 'best'?)", or "" where there is none; returns text. */
char *conf_suggest_text(const struct conf_suggest *suggest, char text[CONF_SUGGEST_SIZE]);

#endif
