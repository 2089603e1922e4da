/*
 * super_process: what superd itself uses, for the metrics.
 */
#ifndef SUPERD_SUPER_PROCESS_H
#define SUPERD_SUPER_PROCESS_H

#include <stdint.h>

struct super_memory {
	uint64_t virtual_bytes; /* 0: not known */
	uint64_t resident_bytes;
};

struct super_memory super_process_memory(void);

/* User and system time. */
uint64_t super_process_cpu_ns(void);

/* Open descriptors; 0: not known. */
uint64_t super_process_open_files(void);

/* The soft limit of them. */
uint64_t super_process_max_files(void);

#endif
