/*
 * superctl_top: two requests a frame, what happened between two frames as rates.
 *
 * On a terminal a frame is written over the one before, line by line, and "q" ends it; the
 * terminal is left as it was found whatever ends it. Otherwise frames follow one another.
 */
#include "config.h"
#include "superd/superctl_top.h"

#include "superd/clock.h"
#include "superd/control_client.h"
#include "superd/superctl_view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER_MS 15000
#define HEAD_LINES 4 /* above the services */

/* What one moment looks like. */
struct frame {
	json_t *status;
	json_t *connections;
	int64_t taken_ns;
};

struct screen {
	bool terminal;
	bool keys; /* standard input is a terminal, and has been changed */
	struct termios before;
	int signals; /* signalfd(2) */
};

static void frame_free(struct frame *frame)
{
	json_decref(frame->status);
	json_decref(frame->connections);
	*frame = (struct frame){0};
}

/* One answer, or the refusal as the error. */
static int frame_ask(const char *socket, const char *verb, json_t **answer, struct error *error)
{
	const char *words[] = {verb};

	if (control_client_ask(socket, words, 1, ANSWER_MS, answer, error) != 0)
		return -1;
	if (json_is_true(json_object_get(*answer, "ok")))
		return 0;
	return error_set(error, 0, "%s", view_string(*answer, "error"));
}

static int frame_take(const char *socket, struct frame *frame, struct error *error)
{
	frame->taken_ns = clock_now_ns();
	if (frame_ask(socket, "status", &frame->status, error) != 0)
		return -1;
	return frame_ask(socket, "connections", &frame->connections, error);
}

/* --- the screen ---------------------------------------------------------------------------- */

static int screen_begin(struct screen *screen, struct error *error)
{
	struct termios raw;
	sigset_t set;

	screen->terminal = isatty(STDOUT_FILENO) != 0;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	screen->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (screen->signals < 0)
		return error_set(error, errno, "signalfd");
	screen->keys = screen->terminal && tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->keys) {
		raw = screen->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	return 0;
}

static void screen_end(const struct screen *screen)
{
	if (screen->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
	if (screen->signals >= 0)
		close(screen->signals);
}

/* Whether the user has seen enough; returns after interval_s or when the screen has changed. */
static bool screen_wait(const struct screen *screen, double interval_s)
{
	struct pollfd watches[] = {
		{.fd = screen->signals, .events = POLLIN},
		{.fd = screen->keys ? STDIN_FILENO : -1, .events = POLLIN},
	};
	struct signalfd_siginfo info;
	char key;

	if (poll(watches, 2, (int)(interval_s * 1000)) <= 0)
		return false;
	if (watches[0].revents != 0 && read(screen->signals, &info, sizeof(info)) > 0)
		return info.ssi_signo != SIGWINCH;
	if (watches[1].revents != 0)
		return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q';
	return false;
}

/* Writes a frame's text over the one before: what a line leaves of it is wiped out. */
static void screen_write(const struct screen *screen, const char *text)
{
	if (!screen->terminal) {
		fputs(text, stdout);
		fputc('\n', stdout);
	} else {
		fputs("\033[H", stdout);
		for (; *text != '\0'; text++) {
			if (*text == '\n')
				fputs("\033[K", stdout);
			fputc(*text, stdout);
		}
		fputs("\033[J", stdout);
	}
	fflush(stdout);
}

/* --- frames -------------------------------------------------------------------------------- */

static struct view frame_view(const struct screen *screen, FILE *stream, size_t *lines)
{
	struct view view = {.stream = stream, .rows = SIZE_MAX, .coloured = screen->terminal};
	struct winsize size;

	*lines = SIZE_MAX;
	if (screen->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		view.width = size.ws_col;
		*lines = size.ws_row;
	}
	return view;
}

/* Services get what they need, but leave a third of the screen to the programs. */
static size_t frame_service_rows(size_t lines, size_t services, size_t programs)
{
	size_t room = lines - HEAD_LINES - 4; /* titles, a blank line, titles, the last line */
	size_t third = room / 3;

	if (lines == SIZE_MAX)
		return SIZE_MAX;
	if (lines < HEAD_LINES + 8)
		return 1;
	if (programs < third)
		third = programs;
	return services < room - third ? services : room - third;
}

static int frame_write(
	FILE *stream, const struct screen *screen, const struct frame *now, const struct frame *old)
{
	struct view_pair status = {.now = now->status,
		.before = old->status,
		.elapsed_s = (double)(now->taken_ns - old->taken_ns) / 1e9};
	struct view_pair programs = {
		.now = now->connections, .before = old->connections, .elapsed_s = status.elapsed_s};
	size_t services = json_array_size(json_object_get(now->status, "services"));
	size_t running = json_array_size(json_object_get(now->connections, "connections"));
	size_t lines;
	struct view view = frame_view(screen, stream, &lines);

	view.rows = frame_service_rows(lines, services, running);
	if (view_status(&view, &status) != 0)
		return -1;
	fputc('\n', stream);
	if (lines != SIZE_MAX)
		view.rows = lines < HEAD_LINES + 8 ? 1 : lines - HEAD_LINES - 4 - view.rows;
	return view_connections(&view, &programs);
}

static int frame_show(const struct screen *screen, const struct frame *now, const struct frame *old,
	struct error *error)
{
	char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);
	int result = -1;

	if (stream != NULL) {
		result = frame_write(stream, screen, now, old);
		if (fclose(stream) != 0)
			result = -1;
	}
	if (result == 0)
		screen_write(screen, text);
	else
		error_set(error, ENOMEM, "the screen");
	free(text);
	return result;
}

int top_run(const struct top *top, struct error *error)
{
	struct screen screen = {.signals = -1};
	struct frame now = {0}, old = {0};
	int result = screen_begin(&screen, error);

	if (result == 0 && screen.terminal)
		fputs("\033[2J", stdout);
	for (long i = 1; result == 0; i++) {
		result = frame_take(top->socket, &now, error);
		if (result == 0)
			result = frame_show(&screen, &now, &old, error);
		frame_free(&old);
		old = now;
		now = (struct frame){0};
		if (result != 0 || i == top->frames || screen_wait(&screen, top->interval_s))
			break;
	}
	frame_free(&old);
	screen_end(&screen);
	return result;
}
