/*
 * conf_report: what a load has to say, collected, then told in the order of the files.
 */
#ifndef SUPERD_CONF_REPORT_H
#define SUPERD_CONF_REPORT_H

#include "superd/conf.h"
#include "superd/conf_pool.h"

#include <stddef.h>

/* So many problems and so many warnings are kept; beyond that they are only counted. */
#define CONF_REPORT_MAX 100

/* A file under its name, as messages say it. */
struct conf_file {
	const char *name;
	unsigned order;                     /* 0 for the first one read, 1 for the next, ... */
	const struct conf_file_part *parts; /* a text that was put together: what of; or NULL */
	size_t part_count;
};

/* Where one part of such a text begins, and what it is called. */
struct conf_file_part {
	unsigned first; /* line of the whole */
	struct conf_file file;
};

struct conf_report {
	struct conf_pool *pool;
	struct conf_message *messages;
	size_t message_count;
	size_t capacity;
	size_t problem_count; /* told and untold */
	size_t warning_count;
};

/* Which file a line of file comes from, and (*line) which of its lines it is: file itself where it
   has no parts, and for line 0. */
const struct conf_file *conf_file_origin(const struct conf_file *file, unsigned *line);

/*
 * Notes a problem or a warning at a line of file; line 0: the file as a whole, told as its first
 * line, so that every text has one; file NULL: none.
 * The text is made fit for one line of a terminal or log.  The same text twice is told once.
 */
void conf_report_add(struct conf_report *report, enum conf_severity severity,
	const struct conf_file *file, unsigned line, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Tells all that was noted, sorted by file and line. */
void conf_report_send(struct conf_report *report,
	void (*message_cb)(void *owner, enum conf_severity severity, const char *text),
	void *owner);

#endif
