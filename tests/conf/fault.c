/*
 * fault: a library to preload (LD_PRELOAD) that makes libconfuse fail in the ways a parser can.
 * What it does depends on the name of the file that is parsed; any other file is parsed.
 */
#include <confuse.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fault_crash(void)
{
	raise(SIGSEGV);
}

static void fault_loop(void)
{
	volatile unsigned long turns = 0;

	for (;;)
		turns++;
}

static void fault_hang(void)
{
	for (;;)
		pause();
}

static void fault_memory(void)
{
	const size_t size = 1 << 20;
	char *memory;

	while ((memory = malloc(size)) != NULL)
		memset(memory, 1, size);
	abort();
}

static void fault_exit(void)
{
	exit(7);
}

static void fault_killed(void)
{
	raise(SIGKILL);
}

static const struct {
	const char *file;
	void (*act)(void);
	int result;
} faults[] = {
	{"crash.conf", fault_crash, 0},
	{"loop.conf", fault_loop, 0},
	{"hang.conf", fault_hang, 0},
	{"memory.conf", fault_memory, 0},
	{"exit.conf", fault_exit, 0},
	{"killed.conf", fault_killed, 0},
	{"silent.conf", NULL, CFG_PARSE_ERROR},
	{"lies.conf", NULL, CFG_SUCCESS},
	{NULL, NULL, 0},
};

int cfg_parse_fp(cfg_t *cfg, FILE *stream)
{
	int (*real)(cfg_t *, FILE *) = (int (*)(cfg_t *, FILE *))dlsym(RTLD_NEXT, "cfg_parse_fp");
	const char *slash = strrchr(cfg->filename, '/');
	const char *name = slash == NULL ? cfg->filename : slash + 1;
	int i;

	for (i = 0; faults[i].file != NULL; i++) {
		if (strcmp(name, faults[i].file) != 0)
			continue;
		if (faults[i].act != NULL)
			faults[i].act();
		return faults[i].result;
	}
	return real(cfg, stream);
}
