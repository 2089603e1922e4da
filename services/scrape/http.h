/*
 * http: as much of HTTP/1.1 as a scraper speaks: the head of one request in, one answer out.
 */
#ifndef SERVICES_SCRAPE_HTTP_H
#define SERVICES_SCRAPE_HTTP_H

#include "services/lib/io.h"
#include "services/lib/line.h"

#include <stdbool.h>

#define HTTP_LINE_MAX 4096  /* the request line and each field */
#define HTTP_FIELDS_MAX 100 /* of a request */

/* Status codes as HTTP numbers them. */
enum http_status {
	HTTP_GONE = 0, /* nobody is there to be answered */
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_TIMEOUT = 408,
	HTTP_URI_TOO_LONG = 414,
	HTTP_FIELDS_TOO_LARGE = 431,
	HTTP_UNAVAILABLE = 503,
	HTTP_VERSION = 505,
};

struct http_request {
	bool head;    /* HEAD: the answer has no body */
	bool chunked; /* the client speaks HTTP/1.1 */
	bool metrics; /* the target is /metrics */
};

/* "Not Found", ... */
const char *http_status_name(enum http_status status);

/*
 * Reads a request's head. Returns HTTP_OK, the status that it is to be refused with, or HTTP_GONE
 * where the client left or failed (errno; 0: it left before it had sent anything).
 */
enum http_status http_read(
	struct line_reader *reader, struct io_deadline *deadline, struct http_request *request);

/* The first line of a request. Returns HTTP_OK, or what it is to be refused with. */
enum http_status http_parse_line(const char *line, size_t length, struct http_request *request);

/* Writes a short answer of text with that status. Returns 0, or -1 with errno. */
int http_write_text(
	int fd, enum http_status status, bool head, const char *body, struct io_deadline *deadline);

/* Writes the head of an answer whose body follows, in chunks where request->chunked. */
int http_write_head(int fd, const struct http_request *request, struct io_deadline *deadline);

/* Writes a piece of the body; length 0 ends it. Returns 0, or -1 with errno. */
int http_write_piece(int fd, const struct http_request *request, const char *data, size_t length,
	struct io_deadline *deadline);

#endif
