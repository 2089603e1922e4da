/*
 * children: a hash of live programs by pid over entries that come in chunks.
 *
 * Each chunk has a page of MAP_SHARED memory for the failure records of its entries, so that a
 * forked child reports its failed step the same way as one that shares superd's memory.
 */
#include "config.h"
#include "superd/children.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define CHUNK_ENTRIES 64
#define BUCKETS_FIRST 64 /* powers of two */
#define WALKS 32         /* along all live ones: they cost about as much as to ask for each */

struct chunk {
	struct chunk *next;
	struct step_failure *failures; /* CHUNK_ENTRIES of them, shared */
	struct child entries[CHUNK_ENTRIES];
};

struct children {
	struct chunk *chunks;
	struct child *free_list;
	struct child **buckets;
	size_t bucket_count;
	size_t count;
	size_t sentenced; /* of these, under sentence */
	size_t used;      /* entries in the table, or prepared for it */
	uint64_t crowd;   /* how often chunks were given back */
};

struct reaper {
	void (*reap_cb)(void *owner, struct child *child, pid_t pid, int status,
		const struct rusage *usage);
	void *owner;
};

int children_new(struct children **children, struct error *error)
{
	struct children *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return error_set(error, errno, "child table");
	made->bucket_count = BUCKETS_FIRST;
	made->buckets = calloc(made->bucket_count, sizeof(struct child *));
	if (made->buckets == NULL) {
		free(made);
		return error_set(error, ENOMEM, "child table");
	}
	*children = made;
	return 0;
}

/* Frees the newest chunk; none of its entries is in use. */
static void children_drop_chunk(struct children *children)
{
	struct chunk *chunk = children->chunks;

	children->chunks = chunk->next;
	munmap(chunk->failures, CHUNK_ENTRIES * sizeof(*chunk->failures));
	free(chunk);
}

void children_free(struct children *children)
{
	if (children == NULL)
		return;
	while (children->chunks != NULL)
		children_drop_chunk(children);
	free(children->buckets);
	free(children);
}

static size_t children_bucket(const struct children *children, pid_t pid)
{
	return ((uint32_t)pid * UINT32_C(2654435761)) & (children->bucket_count - 1);
}

/* All entries of the chunk are free. */
static void children_fill_list(struct children *children, struct chunk *chunk)
{
	for (size_t i = 0; i < CHUNK_ENTRIES; i++) {
		chunk->entries[i] =
			(struct child){.failure = &chunk->failures[i], .next = children->free_list};
		children->free_list = &chunk->entries[i];
	}
}

/* Nothing is in use: what a crowd needed goes back, but for the first chunk. */
static void children_shrink(struct children *children)
{
	children->crowd++;
	while (children->chunks->next != NULL)
		children_drop_chunk(children);
	children->free_list = NULL;
	children_fill_list(children, children->chunks);
}

static int children_add_chunk(struct children *children)
{
	struct chunk *chunk = malloc(sizeof(*chunk));
	void *shared;

	if (chunk == NULL)
		return -1;
	shared = mmap(NULL, CHUNK_ENTRIES * sizeof(*chunk->failures), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		free(chunk);
		return -1;
	}
	chunk->failures = shared;
	children_fill_list(children, chunk);
	chunk->next = children->chunks;
	children->chunks = chunk;
	return 0;
}

struct child *children_prepare(struct children *children)
{
	struct child *child;
	struct step_failure *failure;

	if (children->free_list == NULL && children_add_chunk(children) != 0)
		return NULL;
	child = children->free_list;
	children->free_list = child->next;
	children->used++;
	failure = child->failure;
	*child = (struct child){.failure = failure};
	return child;
}

void children_cancel(struct children *children, struct child *child)
{
	child->pid = 0; /* not alive: children_next() */
	child->next = children->free_list;
	children->free_list = child;
	if (--children->used == 0 && children->chunks->next != NULL)
		children_shrink(children);
}

/* Twice the buckets; where memory is out the chains grow longer instead. */
static void children_grow(struct children *children)
{
	struct child **old = children->buckets;
	size_t old_count = children->bucket_count;
	struct child **grown = calloc(old_count * 2, sizeof(struct child *));
	struct child *child;

	if (grown == NULL)
		return;
	children->buckets = grown;
	children->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		while ((child = old[i]) != NULL) {
			struct child **bucket = &grown[children_bucket(children, child->pid)];

			old[i] = child->next;
			child->next = *bucket;
			*bucket = child;
		}
	}
	free(old);
}

void children_add(struct children *children, struct child *child)
{
	struct child **bucket;

	if (children->count >= children->bucket_count)
		children_grow(children);
	bucket = &children->buckets[children_bucket(children, child->pid)];
	child->next = *bucket;
	*bucket = child;
	children->count++;
}

size_t children_count(const struct children *children)
{
	return children->count;
}

struct child *children_next(const struct children *children, struct children_cursor *cursor)
{
	const struct chunk *chunk = cursor->begun ? cursor->chunk : children->chunks;

	if (!cursor->begun)
		cursor->crowd = children->crowd;
	cursor->begun = true;
	/* new chunks are put in front, so the way from here on stays as it is; but where chunks
	   were given back, all that lived at the first call have gone */
	if (cursor->crowd != children->crowd)
		return NULL;
	for (; chunk != NULL; chunk = chunk->next, cursor->index = 0) {
		cursor->chunk = chunk;
		while (cursor->index < CHUNK_ENTRIES) {
			const struct child *child = &chunk->entries[cursor->index++];

			if (child->pid > 0)
				return (struct child *)(uintptr_t)child;
		}
	}
	cursor->chunk = NULL;
	return NULL;
}

struct child *children_find(const struct children *children, pid_t pid)
{
	struct child *child = children->buckets[children_bucket(children, pid)];

	while (child != NULL && child->pid != pid)
		child = child->next;
	return child;
}

static void children_remove(struct children *children, struct child *child)
{
	struct child **link = &children->buckets[children_bucket(children, child->pid)];

	while (*link != child)
		link = &(*link)->next;
	*link = child->next;
	children->count--;
	if (child->sentenced)
		children->sentenced--;
}

/*
 * One that has ended, as wait4(2) tells it; which: its pid, or -1 for the next one of all. Where
 * programs are under sentence it is looked at before it is reaped: until then its pid, and so its
 * group's number, cannot belong to anybody else, and what is left of its group can be killed.
 */
static pid_t children_wait(
	const struct children *children, pid_t which, int *status, struct rusage *usage)
{
	siginfo_t info = {0};
	const struct child *child;

	if (children->sentenced > 0) {
		if (waitid(which > 0 ? P_PID : P_ALL, (id_t)which, &info,
			    WEXITED | WNOHANG | WNOWAIT) != 0 ||
			info.si_pid == 0)
			return 0;
		which = info.si_pid;
		child = children_find(children, which);
		if (child != NULL && child->sentenced)
			kill(-which, SIGKILL);
	}
	return wait4(which, status, WNOHANG, usage);
}

/* Whether one has been reaped. */
static bool children_reap_one(struct children *children, pid_t which, const struct reaper *reaper)
{
	struct rusage usage;
	struct child *child;
	int status;
	pid_t pid = children_wait(children, which, &status, &usage);

	if (pid <= 0)
		return false;
	child = children_find(children, pid);
	if (child != NULL)
		children_remove(children, child);
	reaper->reap_cb(reaper->owner, child, pid, status, &usage);
	if (child != NULL)
		children_cancel(children, child);
	return true;
}

/* Asks for each of the table by itself. Its chunks stay as long as there is one left. */
static void children_reap_each(struct children *children, const struct reaper *reaper)
{
	struct children_cursor cursor = {0};
	const struct child *child;

	while (children->count > 0 && (child = children_next(children, &cursor)) != NULL)
		children_reap_one(children, child->pid, reaper);
}

bool children_reap(struct children *children, pid_t named,
	void (*reap_cb)(void *reap_owner, struct child *child, pid_t pid, int status,
		const struct rusage *usage),
	void *reap_owner)
{
	const struct reaper reaper = {.reap_cb = reap_cb, .owner = reap_owner};
	size_t found = 0;

	if (named > 0 && children->count > CHILDREN_MANY) {
		children_reap_one(children, named, &reaper);
		return false;
	}
	while (children_reap_one(children, -1, &reaper)) {
		if (++found % WALKS == 0 && children->count > CHILDREN_MANY)
			children_reap_each(children, &reaper);
	}
	return true;
}

void children_sentence(struct children *children, struct child *child)
{
	if (child->sentenced)
		return;
	child->sentenced = true;
	children->sentenced++;
}

void children_signal(struct children *children, struct child *child, int signal)
{
	if (signal == SIGTERM || signal == SIGKILL)
		children_sentence(children, child);
	if (kill(-child->pid, signal) != 0 && errno == ESRCH)
		kill(child->pid, signal);
}

void children_signal_all(struct children *children, int signal)
{
	struct child *child;

	for (size_t i = 0; i < children->bucket_count; i++) {
		for (child = children->buckets[i]; child != NULL; child = child->next)
			children_signal(children, child, signal);
	}
}

void children_each(struct children *children,
	void (*each_cb)(void *each_owner, struct child *child), void *each_owner)
{
	struct child *child;

	for (size_t i = 0; i < children->bucket_count; i++) {
		for (child = children->buckets[i]; child != NULL; child = child->next)
			each_cb(each_owner, child);
	}
}
