/*
 * conf_value: the value types of superd.conf(5).
 */
#include "config.h"
#include "superd/conf_value.h"
#include "superd/clock.h"
#include "superd/conf_suggest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct conf_unit {
	const char *name;
	int64_t factor;
};

/* From large to small: the order a sum is written in. */
static const struct conf_unit time_units[] = {
	{"d", 86400 * CLOCK_NS_PER_S},
	{"h", 3600 * CLOCK_NS_PER_S},
	{"m", 60 * CLOCK_NS_PER_S},
	{"s", CLOCK_NS_PER_S},
	{"ms", CLOCK_NS_PER_MS},
	{NULL, 0},
};

static const struct conf_unit size_units[] = {
	{"G", INT64_C(1) << 30},
	{"M", INT64_C(1) << 20},
	{"K", INT64_C(1) << 10},
	{NULL, 0},
};

/*
 * Digits at *text, which moves behind them.  Returns 0, or -1 where there is none or the
 * number leaves int64_t.
 */
static int value_digits(const char **text, int base, int64_t *value)
{
	const char *start = *text;
	int64_t result = 0;

	for (; **text >= '0' && **text < '0' + base; ++*text) {
		if (__builtin_mul_overflow(result, base, &result) ||
			__builtin_add_overflow(result, **text - '0', &result))
			return -1;
	}
	*value = result;
	return *text == start ? -1 : 0;
}

/* Whether text is digits to its end, so that only its size can be wrong. */
static bool value_is_digits(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int value_range(
	enum conf_kind kind, const char *text, int64_t min, int64_t max, struct error *error)
{
	char least[CONF_VALUE_SIZE], most[CONF_VALUE_SIZE];

	return error_set(error, 0, "%.80s is not in %s..%s", text,
		conf_value_format(kind, min, least), conf_value_format(kind, max, most));
}

int conf_value_bool(const char *text, int64_t *value, struct error *error)
{
	static const struct conf_word words[] = {
		{"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}, {"on", 1}, {"off", 0}, {NULL, 0}};

	return conf_value_word(text, words, value, error);
}

int conf_value_integer(
	const char *text, int64_t min, int64_t max, int64_t *value, struct error *error)
{
	bool negative = *text == '-';
	const char *at = text + negative;
	int64_t number;

	if (!value_is_digits(at))
		return error_set(error, 0, "'%.80s' is not a number", text);
	if (value_digits(&at, 10, &number) != 0)
		return value_range(KIND_INTEGER, text, min, max, error);
	if (negative)
		number = -number;
	if (number < min || number > max)
		return value_range(KIND_INTEGER, text, min, max, error);
	*value = number;
	return 0;
}

int conf_value_octal(const char *text, int64_t max, int64_t *value, struct error *error)
{
	const char *at = text;
	int64_t number;

	if (*text == '\0' || text[strspn(text, "01234567")] != '\0')
		return error_set(error, 0, "'%.80s' is not an octal number such as 022", text);
	if (value_digits(&at, 8, &number) != 0 || number > max)
		return value_range(KIND_OCTAL, text, 0, max, error);
	*value = number;
	return 0;
}

int conf_value_size(const char *text, int64_t min, int64_t max, int64_t *value, struct error *error)
{
	const struct conf_unit *unit;
	const char *at = text;
	int64_t number, factor = 1;
	bool fits;

	fits = value_digits(&at, 10, &number) == 0;
	at = text + strspn(text, "0123456789");
	for (unit = size_units; unit->name != NULL; unit++) {
		if (strcmp(at, unit->name) == 0)
			factor = unit->factor;
	}
	if (at == text || (*at != '\0' && factor == 1))
		return error_set(
			error, 0, "'%.80s' is not a size such as 4096, 64K, 32M or 1G", text);
	if (!fits || __builtin_mul_overflow(number, factor, &number) || number < min ||
		number > max)
		return value_range(KIND_SIZE, text, min, max, error);
	*value = number;
	return 0;
}

/*
 * The next "30s" of a sum at *text: its unit must come behind *unit in the table.  Returns 0,
 * -1 where it is none, -2 where it is too large.
 */
static int value_time_part(const char **text, const struct conf_unit **unit, int64_t *value)
{
	size_t digits = strspn(*text, "0123456789"), letters;
	const char *at = *text;
	int fits = value_digits(&at, 10, value);

	at = *text + digits;
	letters = strcspn(at, "0123456789");
	while ((*unit)->name != NULL &&
		(strlen((*unit)->name) != letters || strncmp((*unit)->name, at, letters) != 0))
		++*unit;
	if (digits == 0 || (*unit)->name == NULL)
		return -1;
	*text = at + letters;
	if (fits != 0 || __builtin_mul_overflow(*value, (*unit)->factor, value))
		return -2;
	++*unit;
	return 0;
}

int conf_value_time(const char *text, int64_t min, int64_t max, int64_t *value, struct error *error)
{
	const struct conf_unit *unit = time_units;
	const char *at = text;
	int64_t sum = 0, part;
	int rc = 0;

	if (value_is_digits(text)) {
		if (value_digits(&at, 10, &sum) != 0 ||
			__builtin_mul_overflow(sum, CLOCK_NS_PER_S, &sum))
			return value_range(KIND_TIME, text, min, max, error);
	} else {
		do {
			rc = value_time_part(&at, &unit, &part);
			if (rc == -1)
				return error_set(error, 0,
					"'%.80s' is not a time such as 500ms, 30s, 5m or 1h30m",
					text);
			if (rc == 0 && __builtin_add_overflow(sum, part, &sum))
				rc = -2;
			if (rc == -2)
				return value_range(KIND_TIME, text, min, max, error);
		} while (*at != '\0');
	}
	if (sum < min || sum > max)
		return value_range(KIND_TIME, text, min, max, error);
	*value = sum;
	return 0;
}

int conf_value_word(
	const char *text, const struct conf_word *words, int64_t *value, struct error *error)
{
	struct conf_suggest suggest = conf_suggest_begin(text);
	char list[256] = "", hint[CONF_SUGGEST_SIZE];
	const struct conf_word *word;
	size_t used = 0;

	for (word = words; word->name != NULL; word++) {
		if (strcmp(word->name, text) == 0) {
			*value = word->value;
			return 0;
		}
		conf_suggest_offer(&suggest, word->name);
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
			used == 0 ? "" : ", ", word->name);
	}
	return error_set(error, 0, "'%.80s' is not one of %s%s", text, list,
		conf_suggest_text(&suggest, hint));
}

int conf_value_parse(
	const struct conf_option *option, const char *text, int64_t *value, struct error *error)
{
	int64_t scale = CLOCK_NS_PER_S;

	if ((option->flags & OPTION_UNLIMITED) && strcmp(text, "unlimited") == 0) {
		*value = CONF_UNLIMITED;
		return 0;
	}
	switch (option->kind) {
	case KIND_BOOL:
		return conf_value_bool(text, value, error);
	case KIND_INTEGER:
		return conf_value_integer(text, option->min, option->max, value, error);
	case KIND_OCTAL:
		return conf_value_octal(text, option->max, value, error);
	case KIND_SIZE:
		return conf_value_size(text, option->min, option->max, value, error);
	case KIND_TIME:
		return conf_value_time(text, option->min, option->max, value, error);
	case KIND_SECONDS:
		if (conf_value_time(text, option->min * scale, option->max * scale, value, error) !=
			0)
			return -1;
		*value = (*value + scale - 1) / scale;
		return 0;
	case KIND_WORD:
	case KIND_WORDS:
		return conf_value_word(text, option->words, value, error);
	default:
		return error_set(error, 0, "is no number");
	}
}

bool conf_is_variable(const char *name)
{
	static const char letters[] = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789";

	return *name != '\0' && (*name < '0' || *name > '9') && name[strspn(name, letters)] == '\0';
}

/* "1d2h30m", the fewest units that are exact. */
static void value_format_time(int64_t value, char text[CONF_VALUE_SIZE])
{
	const struct conf_unit *unit;
	size_t used = 0;

	for (unit = time_units; unit->name != NULL; unit++) {
		if (value < unit->factor)
			continue;
		used += (size_t)snprintf(text + used, CONF_VALUE_SIZE - used, "%" PRId64 "%s",
			value / unit->factor, unit->name);
		value %= unit->factor;
	}
	if (used == 0)
		snprintf(text, CONF_VALUE_SIZE, "0s");
}

static void value_format_size(int64_t value, char text[CONF_VALUE_SIZE])
{
	const struct conf_unit *unit = size_units;

	while (unit->name != NULL && (value == 0 || value % unit->factor != 0))
		unit++;
	if (unit->name == NULL)
		snprintf(text, CONF_VALUE_SIZE, "%" PRId64, value);
	else
		snprintf(text, CONF_VALUE_SIZE, "%" PRId64 "%s", value / unit->factor, unit->name);
}

char *conf_value_format(enum conf_kind kind, int64_t value, char text[CONF_VALUE_SIZE])
{
	if (value == CONF_UNLIMITED) {
		snprintf(text, CONF_VALUE_SIZE, "unlimited");
		return text;
	}
	switch (kind) {
	case KIND_BOOL:
		snprintf(text, CONF_VALUE_SIZE, "%s", value != 0 ? "yes" : "no");
		break;
	case KIND_OCTAL:
		snprintf(text, CONF_VALUE_SIZE, "%04" PRIo64, (uint64_t)value);
		break;
	case KIND_SIZE:
		value_format_size(value, text);
		break;
	case KIND_TIME:
		value_format_time(value, text);
		break;
	case KIND_SECONDS:
		value_format_time(value * CLOCK_NS_PER_S, text);
		break;
	default:
		snprintf(text, CONF_VALUE_SIZE, "%" PRId64, value);
		break;
	}
	return text;
}

const char *conf_word_name(const struct conf_word *words, int64_t value)
{
	for (; words->name != NULL; words++) {
		if (words->value == value)
			return words->name;
	}
	return NULL;
}
