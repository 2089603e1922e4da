/*
 * loop_signal: signalfd(2).
 */
#include "config.h"
#include "superd/loop_signal.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "superd/descriptor.h"

/* One read a turn: what does not fit keeps the descriptor ready. */
#define BATCH 16

static void signals_ready(struct loop_watch *watch, unsigned events)
{
	/* watch is the first member */
	struct loop_signals *signals = (struct loop_signals *)watch;
	struct signalfd_siginfo infos[BATCH];
	ssize_t got = read(watch->fd, infos, sizeof(infos));

	(void)events;
	for (size_t i = 0; got > 0 && i < (size_t)got / sizeof(infos[0]); i++)
		signals->signal_cb(
			signals->owner, (int)infos[i].ssi_signo, (pid_t)infos[i].ssi_pid);
}

int loop_signals_open(struct loop_signals *signals, const sigset_t *set, struct error *error)
{
	sigset_t old;
	int fd;

	if (sigprocmask(SIG_BLOCK, set, &old) == -1)
		return error_set(error, errno, "sigprocmask");
	fd = descriptor_raise(signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC));
	if (fd == -1) {
		error_set(error, errno, "signalfd");
		sigprocmask(SIG_SETMASK, &old, NULL);
		return -1;
	}
	signals->watch = (struct loop_watch){.fd = fd, .ready_cb = signals_ready};
	return 0;
}

void loop_signals_close(struct loop_signals *signals)
{
	if (signals->watch.fd >= 0)
		close(signals->watch.fd);
	signals->watch.fd = -1;
}
