/*
 * acl: what a long list of networks costs: seconds of CPU from text to table, bytes a prefix, and
 * nanoseconds of CPU a look-up.
 *
 *     tests/bench/acl [-l ipv4|ipv6|both] [PREFIXES [SEED]]
 *
 * With -l it prints such a list, as it would stand in a file: tests/bench/acl-load has it loaded.
 * Prints one line for each kind of list: KIND prefixes=N load_s=S bytes=B lookup_ns=NS.
 * Addresses looked up are half random and half inside some network of the list.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "superd/acl.h"
#include "superd/acl_text.h"

#define PREFIXES 1000000
#define LOOKUPS (1 << 20)
#define BATCHES 32
#define LINE_SIZE 64

enum mix { MIX_IP4, MIX_IP6, MIX_BOTH, MIX_COUNT };

/* The arena: counts what it hands out. */
struct memory {
	size_t bytes;
};

struct bench {
	uint64_t random;
	size_t count;
	char *text; /* the list as it would stand in a file */
	size_t length;
	struct acl_rule *rules;
	struct peer *peers;
};

/* Time that this process had, whatever else the machine does. */
static int64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *take(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (memory == NULL) {
		perror("acl");
		exit(1);
	}
	return memory;
}

static void *memory_allocate(void *owner, size_t size, size_t align)
{
	struct memory *memory = owner;

	(void)align; /* malloc(3) suits every type */
	memory->bytes += size;
	return malloc(size);
}

static uint64_t bench_random(struct bench *bench)
{
	bench->random ^= bench->random << 13;
	bench->random ^= bench->random >> 7;
	bench->random ^= bench->random << 17;
	return bench->random;
}

/* Lengths as in real lists: most networks are long; IPv6 lies in 2000::/3. */
static void rule_random(struct bench *bench, enum mix mix, struct acl_rule *rule)
{
	uint64_t bits = bench_random(bench);
	uint64_t words[2] = {bench_random(bench), bench_random(bench)};

	memset(rule, 0, sizeof(*rule));
	memcpy(rule->u.ip, words, sizeof(words));
	if (mix == MIX_IP4 || (mix == MIX_BOTH && bits % 2 == 0)) {
		rule->kind = ACL_IP4;
		rule->prefix_length = (uint8_t)((bits >> 8) % 4 == 0 ? 18 + (bits >> 16) % 15 : 32);
		memset(rule->u.ip + 4, 0, 12);
	} else {
		rule->kind = ACL_IP6;
		rule->prefix_length =
			(uint8_t)((bits >> 8) % 4 == 0 ? 24 + (bits >> 16) % 105 : 64);
		rule->u.ip[0] = (uint8_t)(0x20 | (rule->u.ip[0] & 0x1f));
	}
	for (unsigned bit = rule->prefix_length; bit < 128; bit++)
		rule->u.ip[bit / 8] = (uint8_t)(rule->u.ip[bit / 8] & ~(0x80U >> bit % 8));
}

static void bench_make(struct bench *bench, enum mix mix)
{
	bench->length = 0;
	for (size_t i = 0; i < bench->count; i++) {
		struct acl_rule rule;
		char text[ACL_TEXT_SIZE];

		rule_random(bench, mix, &rule);
		bench->length += (size_t)sprintf(
			bench->text + bench->length, "%s\n", acl_text_format(&rule, text));
		bench->rules[i] = rule;
	}
	for (size_t i = 0; i < LOOKUPS; i++) {
		uint64_t words[2] = {bench_random(bench), bench_random(bench)};
		const struct acl_rule *rule = &bench->rules[words[0] % bench->count];
		struct peer *peer = &bench->peers[i];

		memset(peer, 0, sizeof(*peer));
		peer->family = rule->kind == ACL_IP4 ? AF_INET : AF_INET6;
		memcpy(peer->u.ip, words, sizeof(words));
		if (peer->family == AF_INET6)
			peer->u.ip[0] = (uint8_t)(0x20 | (peer->u.ip[0] & 0x1f));
		if (bench_random(bench) % 2 == 0)
			memcpy(peer->u.ip, rule->u.ip, rule->prefix_length / 8);
	}
}

/* From text to table; returns seconds. */
static double bench_load(struct bench *bench, struct memory *memory, const struct acl **acl)
{
	struct acl_rule origin = {.list = ACL_DENY};
	struct acl_rule made[ACL_TEXT_RULES];
	const char *line = bench->text;
	const char *end = bench->text + bench->length;
	int64_t begin_ns = cpu_ns();
	struct error error;
	size_t used = 0;
	size_t count;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));

		origin.line++;
		if (acl_text_parse_line(
			    line, (size_t)(newline - line), &origin, made, &count, &error) != 0) {
			fprintf(stderr, "acl: %s\n", error.text);
			exit(1);
		}
		memcpy(bench->rules + used, made, count * sizeof(made[0]));
		used += count;
		line = newline + 1;
	}
	if (acl_build(bench->rules, used, false, memory_allocate, memory, acl, &error) != 0) {
		fprintf(stderr, "acl: %s\n", error.text);
		exit(1);
	}
	return (double)(cpu_ns() - begin_ns) / 1e9;
}

static int compare_ns(const void *left, const void *right)
{
	const int64_t *one = left;
	const int64_t *other = right;

	return (*one > *other) - (*one < *other);
}

/* The median batch's nanoseconds a look-up: interruptions fall out. */
static double bench_lookup(const struct bench *bench, const struct acl *acl, double *refused)
{
	int64_t batch_ns[BATCHES];
	size_t found = 0;

	for (size_t batch = 0; batch < BATCHES; batch++) {
		const struct peer *peers = bench->peers + batch * (LOOKUPS / BATCHES);
		int64_t begin_ns = cpu_ns();

		for (size_t i = 0; i < LOOKUPS / BATCHES; i++)
			found += acl_check(acl, &peers[i], NULL, 0, NULL) ? 0 : 1;
		batch_ns[batch] = cpu_ns() - begin_ns;
	}
	qsort(batch_ns, BATCHES, sizeof(batch_ns[0]), compare_ns);
	*refused = (double)found / LOOKUPS;
	return (double)batch_ns[BATCHES / 2] / (LOOKUPS / BATCHES);
}

static const char *mix_name(enum mix mix)
{
	static const char *const names[] = {"ipv4", "ipv6", "both"};

	return names[mix];
}

static void bench_run(struct bench *bench, enum mix mix)
{
	struct memory memory = {0};
	const struct acl *acl;
	double lookup_ns;
	double load_s;
	double refused;

	bench_make(bench, mix);
	load_s = bench_load(bench, &memory, &acl);
	lookup_ns = bench_lookup(bench, acl, &refused);
	printf("%s prefixes=%zu load_s=%.3f bytes=%.1f lookup_ns=%.0f refused=%.2f\n",
		mix_name(mix), bench->count, load_s, (double)memory.bytes / (double)bench->count,
		lookup_ns, refused);
	/* the pieces of the table are left to the end of the process, as in an arena */
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: acl [-l ipv4|ipv6|both] [PREFIXES [SEED]]\n");
	exit(2);
}

/* Which list is to be printed; MIX_COUNT: none. */
static enum mix parse_options(struct bench *bench, int argc, char **argv)
{
	int printed = MIX_COUNT;
	int option;

	while ((option = getopt(argc, argv, "l:")) != -1) {
		if (option != 'l')
			usage();
		for (printed = 0; printed < MIX_COUNT; printed++) {
			if (strcmp(optarg, mix_name((enum mix)printed)) == 0)
				break;
		}
		if (printed == MIX_COUNT)
			usage();
	}
	if (optind < argc)
		bench->count = strtoul(argv[optind++], NULL, 10);
	if (optind < argc)
		bench->random = strtoul(argv[optind++], NULL, 10) | 1;
	if (optind < argc || bench->count == 0)
		usage();
	return (enum mix)printed;
}

int main(int argc, char **argv)
{
	struct bench bench = {.count = PREFIXES, .random = 88172645463325252U};
	enum mix printed = parse_options(&bench, argc, argv);

	bench.text = take(bench.count, LINE_SIZE);
	bench.rules = take(bench.count, sizeof(*bench.rules));
	bench.peers = take(LOOKUPS, sizeof(*bench.peers));
	if (printed != MIX_COUNT) {
		bench_make(&bench, printed);
		fwrite(bench.text, 1, bench.length, stdout);
	} else {
		for (int mix = 0; mix < MIX_COUNT; mix++)
			bench_run(&bench, (enum mix)mix);
	}
	free(bench.peers);
	free(bench.rules);
	free(bench.text);
	return ferror(stdout) || fflush(stdout) != 0;
}
