/*
 * fuzz_conf: the configuration loader on arbitrary text, in one process.
 *
 * What loads must print to something that loads, and prints to itself.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -Ibuild -D_GNU_SOURCE \
 *		-DPKGLIBEXECDIR='"/bin"' tests/fuzz/fuzz_conf.c \
 *		superd/conf*.c superd/acl*.c superd/addr.c superd/creds.c superd/error.c \
 *		superd/hours.c -lconfuse -o fuzz_conf
 *	./fuzz_conf -dict=tests/fuzz/conf.dict tests/fuzz/corpus/conf tests/conf/good
 */
#include "config.h"
#include "superd/conf_loader.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#define ARENA_SIZE ((size_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_load {
	struct conf_arena arena;
	struct conf_loader loader;
	jmp_buf full;
	size_t problems;
};

static void full_cb(void *owner) __attribute__((noreturn));

static void full_cb(void *owner)
{
	longjmp(((struct fuzz_load *)owner)->full, 1);
}

static void message_cb(void *owner, enum conf_severity severity, const char *text)
{
	struct fuzz_load *load = owner;

	const char *behind = text + strlen("fuzz.conf");

	if (strchr(text, '\n') != NULL)
		abort();
	/* libconfuse has its say only where the outline missed something. */
	behind += *behind == ':' ? 1 + strspn(behind + 1, "0123456789") : 0;
	if (strncmp(text, "fuzz.conf:", 10) == 0 && strncmp(behind, ": syntax error", 14) == 0) {
		fprintf(stderr, "%s\n", text);
		abort();
	}
	load->problems += severity == CONF_PROBLEM;
}

/* Loads and prints text: 0 loaded (*printed is the caller's), -1 refused, 1 too large. */
static int load_and_print(const char *text, size_t length, char **printed)
{
	static const struct conf_request request = {
		.file = "fuzz.conf", .service_directory = "/bin", .mode = CONF_PRINT};
	struct fuzz_load *load = calloc(1, sizeof(*load));
	size_t printed_length;
	FILE *stream = open_memstream(printed, &printed_length);
	volatile int rc = 1;

	load->arena = (struct conf_arena){.size = ARENA_SIZE, .full_cb = full_cb, .owner = load};
	load->arena.base = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	load->loader = (struct conf_loader){.request = &request,
		.text = text,
		.length = length,
		.arena = &load->arena,
		.print = stream,
		.message_cb = message_cb,
		.full_cb = full_cb,
		.owner = load};
	load->loader.conf = conf_arena_alloc(&load->arena, sizeof(struct conf));
	if (setjmp(load->full) == 0)
		rc = conf_loader_run(&load->loader);
	conf_pool_free(&load->loader.pool);
	/* Refused means that it said why, and the other way round. */
	if (rc != 1 && (rc != 0) != (load->problems > 0))
		abort();
	fclose(stream);
	if (rc != 0)
		free(*printed);
	munmap(load->arena.base, ARENA_SIZE);
	free(load);
	/* Checks of programs change identity, which takes the leak checker's rights away. */
	prctl(PR_SET_DUMPABLE, 1);
	return rc;
}

/* Cuts "  # FILE:LINE" off every line, and lines that are comments: what would hold by default
   where a value without effect was set is another default the second time. */
static void strip(char *text)
{
	char *to = text;

	while (*text != '\0') {
		char *line = text + strspn(text, "\t");
		size_t length = strcspn(line, "\n");
		char *comment = memmem(line, length, "  # fuzz.conf:", 14);

		text = line + length + (line[length] == '\n');
		if (*line == '#')
			continue;
		if (comment != NULL)
			length = (size_t)(comment - line);
		memmove(to, line, length);
		to += length;
		*to++ = '\n';
	}
	*to = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *once, *twice;

	/* Patterns over the whole file system take their time; files have tests of their own. */
	if (memmem(data, size, "include", 7) != NULL || memmem(data, size, "file:", 5) != NULL)
		return -1;
	if (load_and_print((const char *)data, size, &once) != 0)
		return 0;
	if (load_and_print(once, strlen(once), &twice) != 0) {
		fprintf(stderr, "does not load again:\n%s", once);
		abort();
	}
	strip(once);
	strip(twice);
	if (strcmp(once, twice) != 0) {
		fprintf(stderr, "prints\n%s\nthen\n%s\n", once, twice);
		abort();
	}
	free(once);
	free(twice);
	return 0;
}
