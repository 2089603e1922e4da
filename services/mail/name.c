/*
 * name: the file names of messages.
 */
#include "config.h"

#include "services/mail/name.h"
#include "services/lib/text.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* Enough to tell machines apart by eye; the random bits tell them apart for sure. */
#define HOST_LENGTH 32

#define SECONDS_DIGITS 10
#define NANOSECONDS_DIGITS 9

/* The last second that SECONDS_DIGITS can hold. */
#define MAX_SECONDS INT64_C(9223372035)

int64_t name_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NAME_NS_PER_S + now.tv_nsec;
}

/* The host's name, of which only letters, digits and hyphens are kept. */
static void host_write(char host[HOST_LENGTH + 1])
{
	char full[HOST_NAME_MAX + 1] = "";
	size_t length = 0;

	if (gethostname(full, sizeof(full) - 1) != 0 || full[0] == '\0')
		strcpy(full, "localhost");
	for (; length < HOST_LENGTH && full[length] != '\0'; length++) {
		if (login_has(full[length]))
			host[length] = full[length];
		else
			host[length] = '_';
	}
	host[length] = '\0';
}

void name_unique(unsigned attempt, char unique[NAME_UNIQUE_SIZE])
{
	char host[HOST_LENGTH + 1];
	uint64_t random = 0;

	/* It cannot fail for 8 bytes; without them process and time still tell names apart. */
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = (uint64_t)name_now_ns();
	host_write(host);
	snprintf(unique, NAME_UNIQUE_SIZE, "P%ldN%uR%016" PRIx64 ".%s", (long)getpid(), attempt,
		random, host);
}

void name_format_tmp(int64_t now_ns, const char *unique, char text[NAME_SIZE])
{
	snprintf(text, NAME_SIZE, "%0*" PRId64 ".%0*" PRId64 ".%s", SECONDS_DIGITS,
		now_ns / NAME_NS_PER_S, NANOSECONDS_DIGITS, now_ns % NAME_NS_PER_S, unique);
}

void name_format(const struct name *name, char text[NAME_SIZE])
{
	size_t used;

	name_format_tmp(name->key_ns, name->unique, text);
	used = strlen(text);
	snprintf(text + used, NAME_SIZE - used, ",F=%s,S=%" PRIu64 ",D=%" PRId64, name->sender,
		name->bytes, name->date_s);
}

/*
 * Takes what stands before end (0: the rest of the text) out of *text, at most size - 1 bytes.
 * Returns 0, or -1.
 */
static int part_take(const char **text, char end, char *part, size_t size)
{
	const char *stop = end == '\0' ? *text + strlen(*text) : strchr(*text, end);
	size_t length;

	if (stop == NULL)
		return -1;
	length = (size_t)(stop - *text);
	if (length == 0 || length >= size)
		return -1;
	memcpy(part, *text, length);
	part[length] = '\0';
	*text = end == '\0' ? stop : stop + 1;
	return 0;
}

/* A number of at most max that stands before end; digits: how many it must have, 0: any. */
static int number_take(const char **text, char end, size_t digits, uint64_t max, uint64_t *number)
{
	char part[TEXT_NUMBER_SIZE];

	if (part_take(text, end, part, sizeof(part)) != 0)
		return -1;
	if (digits != 0 && strlen(part) != digits)
		return -1;
	return text_parse_unsigned(part, 0, max, number);
}

/* "F=" and the like. */
static int prefix_take(const char **text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(*text, prefix, length) != 0)
		return -1;
	*text += length;
	return 0;
}

int name_parse(const char *text, struct name *name)
{
	uint64_t seconds, nanoseconds, date;

	if (strlen(text) >= NAME_SIZE)
		return -1;
	if (number_take(&text, '.', SECONDS_DIGITS, MAX_SECONDS, &seconds) != 0 ||
		number_take(&text, '.', NANOSECONDS_DIGITS, NAME_NS_PER_S - 1, &nanoseconds) != 0 ||
		part_take(&text, ',', name->unique, sizeof(name->unique)) != 0)
		return -1;
	if (prefix_take(&text, "F=") != 0 ||
		part_take(&text, ',', name->sender, sizeof(name->sender)) != 0 ||
		!login_valid(name->sender, strlen(name->sender)))
		return -1;
	if (prefix_take(&text, "S=") != 0 ||
		number_take(&text, ',', 0, INT64_MAX, &name->bytes) != 0)
		return -1;
	if (prefix_take(&text, "D=") != 0 || number_take(&text, '\0', 0, MAX_SECONDS, &date) != 0)
		return -1;
	name->key_ns = (int64_t)seconds * NAME_NS_PER_S + (int64_t)nanoseconds;
	name->date_s = (int64_t)date;
	return 0;
}

size_t name_header(const struct name *name, uint64_t bytes, char line[NAME_HEADER_SIZE])
{
	time_t when = name->date_s;
	char date[32] = "1970-01-01T00:00:00Z";
	struct tm parts;

	if (gmtime_r(&when, &parts) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &parts);
	snprintf(line, NAME_HEADER_SIZE, "FROM %s DATE %s BYTES %" PRIu64 "\n", name->sender, date,
		bytes);
	return strlen(line);
}
