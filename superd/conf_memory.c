/*
 * conf_memory: a memfd, mapped far from where programs, libraries and stacks are.
 */
#include "config.h"
#include "superd/conf_memory.h"

#include "superd/descriptor.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Between the heap of a program and the libraries, on machines with 47 bits of addresses or
   more; elsewhere the kernel takes no notice. */
#define HINT_BASE UINT64_C(0x200000000000)
#define HINT_STEP UINT64_C(0x10000000)
#define HINT_MASK 0xffff

int conf_memory_open(size_t size)
{
	struct rlimit limit;
	int fd;

	/* what is beyond RLIMIT_FSIZE would raise SIGXFSZ */
	if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur < size)
		return -1;
	fd = descriptor_raise(memfd_create("superd-conf", MFD_CLOEXEC));
	if (fd >= 0 && ftruncate(fd, (off_t)size) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void *conf_memory_map(size_t size, int fd)
{
	int flags = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
	uint32_t random = 0;
	void *base;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	base = mmap((void *)(uintptr_t)(HINT_BASE + (random & HINT_MASK) * HINT_STEP), size,
		PROT_READ | PROT_WRITE, flags, fd, 0);
	if (base == MAP_FAILED)
		return NULL;
	return base;
}

const void *conf_memory_find(int fd, uintptr_t address, size_t size)
{
	struct stat status;
	void *base;

	if (fstat(fd, &status) != 0)
		return NULL;
	if ((size_t)status.st_size < size) { /* beyond the end every access is SIGBUS */
		errno = EINVAL;
		return NULL;
	}
	base = mmap((void *)address, size, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (base == MAP_FAILED)
		return NULL;
	if (base != (void *)address) { /* before Linux 4.17 the flag says nothing */
		munmap(base, size);
		errno = EEXIST;
		return NULL;
	}
	return base;
}
