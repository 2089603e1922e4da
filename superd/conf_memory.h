/*
 * conf_memory: the pages that a configuration lies in. They have a descriptor, so that they can
 * outlive an exec(2), and a place in the address space where nothing else is likely to be in the
 * next program.
 */
#ifndef SUPERD_CONF_MEMORY_H
#define SUPERD_CONF_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Memory of that size that is not mapped yet, close-on-exec, at 256 or above; -1 where there is
   none (RLIMIT_FSIZE, an old kernel): conf_memory_map() does without. */
int conf_memory_open(size_t size);

/* Maps it, or where fd is -1 some that ends with the mapping; shared with children, writable. NULL
   with errno. */
void *conf_memory_map(size_t size, int fd);

/* Maps fd read-only at the address at which it was before; NULL with errno. */
const void *conf_memory_find(int fd, uintptr_t address, size_t size);

#endif
