/*
 * conf_scan: text of a configuration file to tokens, before libconfuse sees any of it.
 *
 * libconfuse 3.3 miscounts lines after comments, accepts unclosed braces and comments, and
 * silently drops what it does not know.  So comments end here, and quotes, escapes, ${}
 * and brackets are checked here.
 */
#ifndef SUPERD_CONF_SCAN_H
#define SUPERD_CONF_SCAN_H

#include "superd/conf_pool.h"
#include "superd/conf_report.h"

#include <stdbool.h>
#include <stddef.h>

enum conf_token_kind {
	TOKEN_WORD,   /* bare */
	TOKEN_STRING, /* in quotes; text includes them */
	TOKEN_OPEN,   /* { */
	TOKEN_CLOSE,  /* } */
	TOKEN_LEFT,   /* ( */
	TOKEN_RIGHT,  /* ) */
	TOKEN_SET,    /* = */
	TOKEN_ADD,    /* += */
	TOKEN_COMMA,
	TOKEN_END, /* of the file; the last token always */
};

struct conf_token {
	enum conf_token_kind kind;
	bool bad; /* a problem with it was told; text is a harmless substitute */
	unsigned line;
	const char *text; /* not NUL-terminated */
	size_t length;
};

struct conf_tokens {
	struct conf_token *list;
	size_t count;
};

/*
 * Cuts length bytes of text into tokens, which point into it or into pool.  Problems go to
 * report.  Returns 0, or -1 where brackets, quotes or comments do not close, so that nothing
 * can be said of the structure.
 */
int conf_scan(struct conf_pool *pool, struct conf_report *report, const struct conf_file *file,
	const char *text, size_t length, struct conf_tokens *tokens);

#endif
