/*
 * conf_suggest: edit distance with transpositions; a third of the word may be wrong.
 */
#include "config.h"
#include "superd/conf_suggest.h"

#include <stdio.h>
#include <string.h>

/* Longer words get no suggestion. */
#define WORD_MAX 64

static unsigned suggest_least(unsigned one, unsigned other)
{
	return one < other ? one : other;
}

/* Insertions, deletions, substitutions and swaps of neighbours between two words. */
static unsigned suggest_distance(const char *one, size_t m, const char *other, size_t n)
{
	unsigned rows[3][WORD_MAX + 1] = {{0}};
	unsigned *before = rows[0], *above = rows[1], *row = rows[2], *spare;
	size_t i, j;

	for (j = 0; j <= n; j++)
		above[j] = (unsigned)j;
	for (i = 1; i <= m; i++) {
		row[0] = (unsigned)i;
		for (j = 1; j <= n; j++) {
			row[j] = above[j - 1] + (one[i - 1] != other[j - 1]);
			row[j] = suggest_least(row[j], above[j] + 1);
			row[j] = suggest_least(row[j], row[j - 1] + 1);
			if (i > 1 && j > 1 && one[i - 1] == other[j - 2] &&
				one[i - 2] == other[j - 1])
				row[j] = suggest_least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[n];
}

struct conf_suggest conf_suggest_begin(const char *word)
{
	size_t length = strlen(word);
	struct conf_suggest suggest = {.word = word};

	suggest.distance = length > WORD_MAX ? 0 : length < 3 ? 2 : (unsigned)(length / 3 + 1);
	return suggest;
}

void conf_suggest_offer(struct conf_suggest *suggest, const char *candidate)
{
	size_t length = strlen(candidate);
	unsigned distance;

	if (suggest->distance == 0 || length > WORD_MAX)
		return;
	distance = suggest_distance(suggest->word, strlen(suggest->word), candidate, length);
	if (distance >= suggest->distance || distance >= length)
		return;
	suggest->distance = distance;
	suggest->best = candidate;
}

char *conf_suggest_text(const struct conf_suggest *suggest, char text[CONF_SUGGEST_SIZE])
{
	if (suggest->best == NULL)
		text[0] = '\0';
	else
		snprintf(text, CONF_SUGGEST_SIZE, " (did you mean '%s'?)", suggest->best);
	return text;
}
