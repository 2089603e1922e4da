/*
 * fd: long-lived descriptors live at 256 and above, so that a new process, which copies only
 * what lies below its own socket, never pays for them.
 */
#ifndef SUPERD_FD_H
#define SUPERD_FD_H

/* Long-lived descriptors lie at this number and above. */
#define FD_HIGH 256

/*
 * Moves fd to the first free number from FD_HIGH on, close-on-exec, and returns it; fd itself
 * is closed.  Where that fails (RLIMIT_NOFILE at 256 or below, table full), and where fd is
 * that high already, returns fd, made close-on-exec.  A negative fd is handed back; errno is
 * kept.
 */
int fd_raise(int fd);

#endif
