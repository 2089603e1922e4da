/*
 * super_process: /proc/self.
 */
#include "config.h"
#include "superd/super_process.h"

#include "superd/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct super_memory super_process_memory(void)
{
	struct super_memory memory = {0};
	unsigned long long size = 0, resident = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL)
		return memory;
	if (fscanf(file, "%llu %llu", &size, &resident) == 2) {
		memory.virtual_bytes = size * page;
		memory.resident_bytes = resident * page;
	}
	fclose(file);
	return memory;
}

static uint64_t timeval_ns(const struct timeval *time)
{
	return (uint64_t)(time->tv_sec * CLOCK_NS_PER_S + time->tv_usec * INT64_C(1000));
}

uint64_t super_process_cpu_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
}

uint64_t super_process_open_files(void)
{
	struct stat entry;
	uint64_t count = 0;
	DIR *folder;

	/* Linux 6.2 and later tell it as the folder's size; before that they have to be counted. */
	if (stat("/proc/self/fd", &entry) == 0 && entry.st_size > 0)
		return (uint64_t)entry.st_size;
	folder = opendir("/proc/self/fd");
	if (folder == NULL)
		return 0;
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count > 3 ? count - 3 : 0; /* ".", ".." and the folder's own */
}

uint64_t super_process_max_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	return limit.rlim_cur;
}
