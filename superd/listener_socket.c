/*
 * listener_socket: socket(2), options, bind(2), listen(2).
 *
 * What every accepted socket shall have (nodelay, keepalive) is set on the listener: Linux lets
 * connections inherit it, and no system call is spent per connection (tcp(7), socket(7)).
 */
#include "config.h"
#include "superd/listener_socket.h"

#include "superd/descriptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPTIONS_MAX 16

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72 /* Linux 5.14 */
#endif

/* One setsockopt(2) with an int value. */
struct option {
	const char *name; /* as in superd.conf */
	int level;
	int option;
	int value;
	bool wanted;
	enum {
		OPTION_ANY_TIME, /* may be changed on an open socket */
		OPTION_BUFFER,   /* that too, but the kernel doubles what it is given */
		OPTION_AT_BIRTH, /* is the same for all sockets of the kind, and stays */
		OPTION_IF_KNOWN, /* not of every kernel */
	} kind;
};

/* Fills options with those that mean anything to the socket; returns how many. */
static size_t socket_options(const struct conf_service *service, const struct conf_socket *conf,
	struct option options[OPTIONS_MAX])
{
	int family = addr_family(&conf->addr);
	bool internet = family != AF_UNIX;
	bool six = family == AF_INET6;
	bool tcp = internet && conf->type == SOCK_STREAM;
	int ip = six ? IPPROTO_IPV6 : IPPROTO_IP;
	int idle_s = (int)service->keepalive_s;
	/* without those that do not apply: their level is negative */
	const int any = SOL_SOCKET;
	const int net = internet ? SOL_SOCKET : -1;
	const int inet = internet ? ip : -1;
	const int stream = tcp ? IPPROTO_TCP : -1;
	const struct option rows[] = {
		{"IPV6_V6ONLY", six ? ip : -1, IPV6_V6ONLY, 1, true, OPTION_AT_BIRTH},
		{"SO_REUSEADDR", tcp ? any : -1, SO_REUSEADDR, 1, true, OPTION_AT_BIRTH},
		{"reuse-port", net, SO_REUSEPORT, 1, service->reuse_port, OPTION_ANY_TIME},
		{"free-bind", inet, six ? IPV6_FREEBIND : IP_FREEBIND, 1, service->free_bind,
			OPTION_ANY_TIME},
		{"transparent", inet, six ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1,
			service->transparent, OPTION_ANY_TIME},
		{"mark", any, SO_MARK, (int)service->mark, service->mark >= 0, OPTION_ANY_TIME},
		{"tos", inet, six ? IPV6_TCLASS : IP_TOS, service->tos, service->tos >= 0,
			OPTION_ANY_TIME},
		{"receive-buffer", any, SO_RCVBUF, service->receive_buffer,
			service->receive_buffer > 0, OPTION_BUFFER},
		{"send-buffer", any, SO_SNDBUF, service->send_buffer, service->send_buffer > 0,
			OPTION_BUFFER},
		{"SO_BUF_LOCK", any, SO_BUF_LOCK, 0, false, OPTION_IF_KNOWN},
		{"nodelay", stream, TCP_NODELAY, 1, service->nodelay, OPTION_ANY_TIME},
		{"keepalive", tcp ? any : -1, SO_KEEPALIVE, 1, idle_s > 0, OPTION_ANY_TIME},
		{"keepalive", stream, TCP_KEEPIDLE, idle_s, idle_s > 0, OPTION_ANY_TIME},
	};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].level >= 0)
			options[count++] = rows[i];
	}
	return count;
}

static int socket_set_option(int fd, const struct option *option, int value, struct error *error)
{
	if (setsockopt(fd, option->level, option->option, &value, sizeof(value)) == 0 ||
		option->kind == OPTION_IF_KNOWN)
		return 0;
	return error_set(error, errno, "%s", option->name);
}

/* fresh: not bound yet, so that everything can be set. */
static int socket_set_options(int fd, const struct conf_service *service,
	const struct conf_socket *conf, bool fresh, struct error *error)
{
	struct option options[OPTIONS_MAX];
	size_t count = socket_options(service, conf, options);

	for (size_t i = 0; i < count; i++) {
		if (options[i].wanted && (fresh || options[i].kind != OPTION_AT_BIRTH) &&
			socket_set_option(fd, &options[i], options[i].value, error) != 0)
			return -1;
	}
	return 0;
}

static int socket_bind_device(int fd, const struct conf_service *service,
	const struct conf_socket *conf, struct error *error)
{
	const char *device = service->bind_device;

	if (device == NULL || addr_family(&conf->addr) == AF_UNIX)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1) != 0)
		return error_set(error, errno, "bind-device %s", device);
	return 0;
}

void listener_socket_share(int fd, bool on)
{
	int value = on;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

/* Makes one option of fd what the new socket model has. */
static int socket_copy_option(int fd, int model, const struct option *option, struct error *error)
{
	socklen_t length = sizeof(int);
	int wanted = 0;
	int now = 0;

	if (option->kind == OPTION_AT_BIRTH ||
		getsockopt(model, option->level, option->option, &wanted, &length) != 0 ||
		getsockopt(fd, option->level, option->option, &now, &length) != 0 || now == wanted)
		return 0;
	return socket_set_option(
		fd, option, option->kind == OPTION_BUFFER ? wanted / 2 : wanted, error);
}

/* What has shut a listener down must not be undone here: listen(2) would give it a new port. */
static int socket_adapt_backlog(int fd, const struct conf_service *service,
	const struct conf_socket *conf, struct error *error)
{
	socklen_t length = sizeof(int);
	int listening = 0;

	if (conf->type == SOCK_DGRAM ||
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 ||
		listening == 0)
		return 0;
	if (listen(fd, service->backlog) != 0)
		return error_set(error, errno, "backlog");
	return 0;
}

int listener_socket_adapt(int fd, const struct conf_service *service,
	const struct conf_socket *conf, struct error *error)
{
	struct option options[OPTIONS_MAX];
	size_t count = socket_options(service, conf, options);
	int model = socket(addr_family(&conf->addr), conf->type | SOCK_CLOEXEC, 0);
	int result;

	if (model < 0)
		return error_set(error, errno, "socket");
	result = socket_set_options(model, service, conf, true, error);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = socket_copy_option(fd, model, &options[i], error);
	if (result == 0)
		result = socket_adapt_backlog(fd, service, conf, error);
	close(model);
	return result;
}

/*
 * A name left over by a superd that was killed refuses connections and is removed; one that
 * somebody still listens on is left alone, and bind says that it is in use.
 */
static void socket_remove_stale(const struct conf_socket *conf)
{
	const char *path = conf->addr.u.un.sun_path;
	struct stat entry;
	int probe;

	if (path[0] == '\0' || lstat(path, &entry) != 0 || !S_ISSOCK(entry.st_mode))
		return;
	probe = socket(AF_UNIX, conf->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return;
	if (connect(probe, &conf->addr.u.any, conf->addr.length) != 0 && errno == ECONNREFUSED)
		unlink(path);
	close(probe);
}

void listener_socket_stamp(int fd, const struct conf_socket *conf)
{
	int on = 1;

	if (conf->type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
}

static int socket_bind(int fd, const struct conf_socket *conf, struct error *error)
{
	if (bind(fd, &conf->addr.u.any, conf->addr.length) != 0)
		return error_set(error, errno, "bind");
	return 0;
}

/*
 * Linux gives the name the mode of the socket itself (unix_bind): nothing is changed by path, which
 * somebody may have replaced in a folder that is not superd's alone.
 */
static int socket_bind_unix(int fd, const struct conf_service *service,
	const struct conf_socket *conf, struct error *error)
{
	const char *path = conf->addr.u.un.sun_path;
	mode_t umask_before;
	int result;

	socket_remove_stale(conf);
	if (fchmod(fd, service->socket_mode) != 0)
		return error_set(error, errno, "socket-mode of %s", path);
	umask_before = umask(0);
	result = socket_bind(fd, conf, error);
	umask(umask_before);
	if (result != 0 || path[0] == '\0')
		return result;
	if (lchown(path, service->socket_user, service->socket_group) == 0)
		return 0;
	error_set(error, errno, "socket-user of %s", path);
	unlink(path);
	return -1;
}

static int socket_listen(int fd, const struct conf_service *service, const struct conf_socket *conf,
	struct error *error)
{
	listener_socket_stamp(fd, conf);
	if (conf->type != SOCK_DGRAM && listen(fd, service->backlog) != 0)
		return error_set(error, errno, "listen");
	return 0;
}

static int socket_prepare(int fd, const struct conf_service *service,
	const struct conf_socket *conf, struct error *error)
{
	int result;

	if (socket_bind_device(fd, service, conf, error) != 0)
		return -1;
	if (addr_family(&conf->addr) == AF_UNIX)
		result = socket_bind_unix(fd, service, conf, error);
	else
		result = socket_bind(fd, conf, error);
	return result != 0 ? -1 : socket_listen(fd, service, conf, error);
}

int listener_socket_adopt(int fd, const struct conf_service *service,
	const struct conf_socket *conf, struct error *error)
{
	if (socket_set_options(fd, service, conf, false, error) != 0)
		return -1;
	if (descriptor_set_blocking(fd, conf->wait) != 0)
		return error_set(error, errno, "O_NONBLOCK");
	return socket_listen(fd, service, conf, error);
}

/* The socket with its options, not bound yet; -1 with *error. */
static int socket_make(
	const struct conf_service *service, const struct conf_socket *conf, struct error *error)
{
	int type = conf->type | SOCK_CLOEXEC | (conf->wait ? 0 : SOCK_NONBLOCK);
	int fd = socket(addr_family(&conf->addr), type, 0);

	if (fd < 0)
		return error_set(error, errno, "socket");
	fd = descriptor_raise(fd);
	if (socket_set_options(fd, service, conf, true, error) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int socket_finish(int fd, const struct conf_service *service, const struct conf_socket *conf,
	struct error *error)
{
	if (fd >= 0 && socket_prepare(fd, service, conf, error) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

int listener_socket_open(
	const struct conf_service *service, const struct conf_socket *conf, struct error *error)
{
	return socket_finish(socket_make(service, conf, error), service, conf, error);
}

int listener_socket_open_beside(
	const struct conf_service *service, const struct conf_socket *conf, struct error *error)
{
	int fd = socket_make(service, conf, error);

	if (fd >= 0)
		listener_socket_share(fd, true);
	return socket_finish(fd, service, conf, error);
}
