/*
 * reload_load: the loader's process as the loop sees it: its pipe, its end, a deadline.
 */
#include "config.h"
#include "superd/reload_private.h"

#include "superd/clock.h"

#include <stdlib.h>
#include <sys/wait.h>

/* The loader has an alarm of its own; this is for one that is stopped or cannot be woken. */
#define DEADLINE_NS (21 * CLOCK_NS_PER_S)

static void load_message(void *owner, enum conf_severity severity, const char *text)
{
	struct reload *reload = owner;

	reload_lines_add(&reload->lines, severity, text, RELOAD_LINES_MAX);
}

/* At end of file the rest comes with the process's end. */
static void load_ready(struct loop_watch *watch, unsigned events)
{
	struct reload *reload = RELOAD_OF(watch, load_watch);

	(void)events;
	if (conf_load_read(reload->load, load_message, reload) == 0)
		loop_watch_stop(reload->loop, watch);
}

static void load_late(struct loop_timer *timer)
{
	conf_load_kill(RELOAD_OF(timer, load_deadline)->load);
}

void reload_load(struct reload *reload)
{
	const struct reload_job *job = reload->jobs;
	struct conf_request request = reload->host.request;
	struct error error;

	if (job->path != NULL) {
		request.file = job->path;
		request.single = NULL;
	}
	reload->stage = RELOAD_LOADING;
	if (conf_load_begin(&request, &reload->load, &error) != 0) {
		reload_fail(reload, &error);
		return;
	}
	reload->load_watch =
		(struct loop_watch){.fd = conf_load_fd(reload->load), .ready_cb = load_ready};
	reload->load_deadline.fire_cb = load_late;
	/* Without the watch a loader with much to say would wait for ever: it is not let. */
	if (loop_watch_start(reload->loop, &reload->load_watch, LOOP_READ, &error) != 0 ||
		loop_timer_start(reload->loop, &reload->load_deadline,
			loop_now_ns(reload->loop) + DEADLINE_NS) != 0)
		conf_load_kill(reload->load);
}

void reload_load_kill(struct reload *reload)
{
	if (reload->load != NULL)
		conf_load_kill(reload->load);
}

/* Takes the loader's result, good or bad. */
static int load_end(struct reload *reload, int status, struct error *error)
{
	struct conf_load *load = reload->load;

	conf_load_read(load, load_message, reload); /* what it wrote last */
	loop_watch_stop(reload->loop, &reload->load_watch);
	loop_timer_stop(reload->loop, &reload->load_deadline);
	reload->load = NULL;
	return conf_load_end(load, status, &reload->conf, error);
}

void reload_load_abandon(struct reload *reload)
{
	struct error ignored;

	if (reload->load == NULL)
		return;
	conf_load_kill(reload->load);
	waitpid(conf_load_pid(reload->load), NULL, WNOHANG);
	load_end(reload, W_EXITCODE(1, 0), &ignored);
}

void reload_reaped(struct reload *reload, pid_t pid, int status)
{
	struct error error;
	bool loaded;

	if (reload == NULL || reload->load == NULL || conf_load_pid(reload->load) != pid)
		return;
	loaded = load_end(reload, status, &error) == 0;
	if (reload->stopping) {
		conf_free(reload->conf);
		reload->conf = NULL;
	} else if (loaded) {
		reload_loaded(reload);
	} else {
		reload_fail(reload, &error);
	}
}
