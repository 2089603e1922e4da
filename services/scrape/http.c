/*
 * http: request line, fields, answers.
 */
#include "config.h"

#include "services/scrape/http.h"

#include "services/lib/text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

const char *http_status_name(enum http_status status)
{
	switch (status) {
	case HTTP_OK:
		return "OK";
	case HTTP_NOT_FOUND:
		return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case HTTP_TIMEOUT:
		return "Request Timeout";
	case HTTP_URI_TOO_LONG:
		return "URI Too Long";
	case HTTP_FIELDS_TOO_LARGE:
		return "Request Header Fields Too Large";
	case HTTP_UNAVAILABLE:
		return "Service Unavailable";
	case HTTP_VERSION:
		return "HTTP Version Not Supported";
	default:
		return "Bad Request";
	}
}

/* --- the request --------------------------------------------------------------------------- */

/* A character of a token (RFC 9110). */
static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_length(const char *text)
{
	size_t length = 0;

	while (is_token(text[length]))
		length++;
	return length;
}

/* What stands behind the target: " HTTP/1.x" and nothing else. */
static enum http_status parse_version(const char *text, struct http_request *request)
{
	if (strncmp(text, " HTTP/", 6) != 0 || text[6] < '0' || text[6] > '9' || text[7] != '.' ||
		text[8] < '0' || text[8] > '9' || text[9] != '\0')
		return HTTP_BAD_REQUEST;
	if (text[6] != '1')
		return HTTP_VERSION;
	request->chunked = text[8] != '0';
	return HTTP_OK;
}

enum http_status http_parse_line(const char *line, size_t length, struct http_request *request)
{
	size_t method = token_length(line);
	const char *target = line + method + 1;
	enum http_status status;
	size_t end = 0;

	*request = (struct http_request){0};
	if (strlen(line) != length || method == 0 || line[method] != ' ')
		return HTTP_BAD_REQUEST;
	while (target[end] > ' ' && target[end] != 0x7f)
		end++;
	if (end == 0)
		return HTTP_BAD_REQUEST;
	status = parse_version(target + end, request);
	if (status != HTTP_OK)
		return status;
	request->head = method == 4 && strncmp(line, "HEAD", 4) == 0;
	if (!request->head && (method != 3 || strncmp(line, "GET", 3) != 0))
		return HTTP_METHOD_NOT_ALLOWED;
	request->metrics = strncmp(target, "/metrics", 8) == 0 && (end == 8 || target[8] == '?');
	return HTTP_OK;
}

/* One field; *host becomes true at Host. */
static enum http_status parse_field(const char *line, size_t length, bool *host)
{
	size_t name = token_length(line);

	if (strlen(line) != length || name == 0 || line[name] != ':')
		return HTTP_BAD_REQUEST;
	if (name == 4 && strncasecmp(line, "Host", 4) == 0) {
		if (*host)
			return HTTP_BAD_REQUEST;
		*host = true;
	}
	return HTTP_OK;
}

/* The next line. Returns HTTP_OK, too_long, or what else became of it. */
static enum http_status read_line(struct line_reader *reader, struct io_deadline *deadline,
	enum http_status too_long, char **line, size_t *length)
{
	switch (line_read(reader, HTTP_LINE_MAX, deadline, line, length)) {
	case LINE_OK:
		return HTTP_OK;
	case LINE_TOO_LONG:
		return too_long;
	case LINE_TIMEOUT:
		return HTTP_TIMEOUT;
	case LINE_END:
		errno = 0;
		return HTTP_GONE;
	case LINE_UNTERMINATED:
		return HTTP_BAD_REQUEST;
	default:
		return HTTP_GONE;
	}
}

enum http_status http_read(
	struct line_reader *reader, struct io_deadline *deadline, struct http_request *request)
{
	enum http_status status, first;
	bool host = false;
	size_t length;
	char *line;

	*request = (struct http_request){0};
	status = read_line(reader, deadline, HTTP_URI_TOO_LONG, &line, &length);
	if (status != HTTP_OK)
		return status;
	first = http_parse_line(line, length, request);
	if (first == HTTP_BAD_REQUEST || first == HTTP_VERSION)
		return first;
	for (int i = 0; i < HTTP_FIELDS_MAX; i++) {
		status = read_line(reader, deadline, HTTP_FIELDS_TOO_LARGE, &line, &length);
		if (status == HTTP_GONE && errno == 0)
			return HTTP_BAD_REQUEST; /* it ends within its head */
		if (status != HTTP_OK)
			return status;
		if (length == 0)
			return request->chunked && !host ? HTTP_BAD_REQUEST : first;
		status = parse_field(line, length, &host);
		if (status != HTTP_OK)
			return status;
	}
	return HTTP_FIELDS_TOO_LARGE;
}

/* --- the answer ---------------------------------------------------------------------------- */

static void head_begin(struct text *text, enum http_status status, const char *type)
{
	text_add(text, "HTTP/1.1 ");
	text_add_unsigned(text, (uint64_t)status);
	text_add_char(text, ' ');
	text_add(text, http_status_name(status));
	text_add(text, "\r\nContent-Type: ");
	text_add(text, type);
	text_add(text, "\r\nCache-Control: no-store\r\nConnection: close\r\n");
}

int http_write_text(
	int fd, enum http_status status, bool head, const char *body, struct io_deadline *deadline)
{
	char buffer[1024];
	struct text text;

	text_begin(&text, buffer, sizeof(buffer));
	head_begin(&text, status, "text/plain; charset=utf-8");
	if (status == HTTP_METHOD_NOT_ALLOWED)
		text_add(&text, "Allow: GET, HEAD\r\n");
	text_add(&text, "Content-Length: ");
	text_add_unsigned(&text, strlen(body));
	text_add(&text, "\r\n\r\n");
	if (!head)
		text_add(&text, body);
	return io_write_full(fd, buffer, text.used, deadline);
}

int http_write_head(int fd, const struct http_request *request, struct io_deadline *deadline)
{
	char buffer[1024];
	struct text text;

	text_begin(&text, buffer, sizeof(buffer));
	head_begin(&text, HTTP_OK, METRICS_TYPE);
	if (request->chunked)
		text_add(&text, "Transfer-Encoding: chunked\r\n");
	text_add(&text, "\r\n");
	return io_write_full(fd, buffer, text.used, deadline);
}

int http_write_piece(int fd, const struct http_request *request, const char *data, size_t length,
	struct io_deadline *deadline)
{
	char buffer[32];
	struct text text;

	if (!request->chunked)
		return length > 0 ? io_write_full(fd, data, length, deadline) : 0;
	text_begin(&text, buffer, sizeof(buffer));
	text_add_hex(&text, (unsigned)length);
	text_add(&text, "\r\n");
	if (io_write_full(fd, buffer, text.used, deadline) != 0)
		return -1;
	if (length > 0 && io_write_full(fd, data, length, deadline) != 0)
		return -1;
	return io_write_full(fd, "\r\n", 2, deadline);
}
