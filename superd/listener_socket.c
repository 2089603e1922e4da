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

/* One setsockopt(2) with an int value. */
struct option {
	const char *name; /* as in superd.conf */
	int level;
	int option;
	int value;
	bool wanted;
};

static int socket_apply(int fd, const struct option *options, size_t count, struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		if (!options[i].wanted)
			continue;
		if (setsockopt(fd, options[i].level, options[i].option, &options[i].value,
			    sizeof(options[i].value)) != 0)
			return error_set(error, errno, "%s", options[i].name);
	}
	return 0;
}

/* fresh: not bound yet, so that everything can be set. */
static int socket_set_options(int fd, const struct conf_service *service,
	const struct conf_socket *conf, bool fresh, struct error *error)
{
	int family = addr_family(&conf->addr);
	bool internet = family != AF_UNIX;
	bool six = family == AF_INET6;
	bool tcp = internet && conf->type == SOCK_STREAM;
	int ip = six ? IPPROTO_IPV6 : IPPROTO_IP;
	int idle_s = (int)service->keepalive_s;
	const struct option options[] = {
		{"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, 1, six && fresh},
		{"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1, tcp && fresh},
		{"reuse-port", SOL_SOCKET, SO_REUSEPORT, 1, internet && service->reuse_port},
		{"free-bind", ip, six ? IPV6_FREEBIND : IP_FREEBIND, 1,
			internet && service->free_bind},
		{"transparent", ip, six ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1,
			internet && service->transparent},
		{"mark", SOL_SOCKET, SO_MARK, (int)service->mark, service->mark >= 0},
		{"tos", ip, six ? IPV6_TCLASS : IP_TOS, service->tos,
			internet && service->tos >= 0},
		{"receive-buffer", SOL_SOCKET, SO_RCVBUF, service->receive_buffer,
			service->receive_buffer > 0},
		{"send-buffer", SOL_SOCKET, SO_SNDBUF, service->send_buffer,
			service->send_buffer > 0},
		{"nodelay", IPPROTO_TCP, TCP_NODELAY, 1, tcp && service->nodelay},
		{"keepalive", SOL_SOCKET, SO_KEEPALIVE, 1, tcp && idle_s > 0},
		{"keepalive", IPPROTO_TCP, TCP_KEEPIDLE, idle_s, tcp && idle_s > 0},
	};

	if (internet && fresh && service->bind_device != NULL &&
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, service->bind_device,
			(socklen_t)strlen(service->bind_device) + 1) != 0)
		return error_set(error, errno, "bind-device %s", service->bind_device);
	return socket_apply(fd, options, sizeof(options) / sizeof(options[0]), error);
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

	if (socket_set_options(fd, service, conf, true, error) != 0)
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

int listener_socket_open(
	const struct conf_service *service, const struct conf_socket *conf, struct error *error)
{
	int type = conf->type | SOCK_CLOEXEC | (conf->wait ? 0 : SOCK_NONBLOCK);
	int fd = socket(addr_family(&conf->addr), type, 0);

	if (fd < 0)
		return error_set(error, errno, "socket");
	fd = descriptor_raise(fd);
	if (socket_prepare(fd, service, conf, error) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}
