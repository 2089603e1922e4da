/*
 * famine: a library to preload (LD_PRELOAD) that lets one allocation of one process fail: the
 * file that the environment names with FAMINE holds a process number and how many allocations
 * are to succeed before; a test writes both while the process runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

struct famine {
	int64_t pid;
	int64_t left; /* below 0: none fails */
};

static volatile struct famine *famine;

__attribute__((constructor)) static void famine_begin(void)
{
	const char *path = getenv("FAMINE");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *memory;

	if (fd < 0)
		return;
	memory = mmap(NULL, sizeof(struct famine), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED)
		famine = memory;
}

static int famine_now(void)
{
	if (famine == NULL || famine->left < 0 || famine->pid != getpid())
		return 0;
	if (famine->left-- > 0)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return famine_now() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return famine_now() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	return famine_now() ? NULL : __libc_realloc(memory, size);
}
