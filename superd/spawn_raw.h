/*
 * spawn_raw: system calls that touch nothing but registers.
 *
 * The child of a shared-memory clone runs on superd's own thread-local state, so syscall(3) and
 * libc's wrappers, which write errno there, are forbidden to it. These return -errno instead.
 * Where this machine has no such wrapper, spawn_vm.c is not built and the forked child, whose
 * errno is its own, may use syscall(2).
 */
#ifndef SUPERD_SPAWN_RAW_H
#define SUPERD_SPAWN_RAW_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)

static inline long raw_call(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long raw_call(long number, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}

#else

static inline long raw_call(long number, long a, long b, long c, long d, long e)
{
	long result = syscall(number, a, b, c, d, e);

	return result < 0 ? -errno : result;
}

#endif

/* A pointer as a system call's argument. */
static inline long raw_pointer(const void *pointer)
{
	return (long)(intptr_t)pointer;
}

#endif
