/*
 * conf_compare: whether two configurations, each in memory of its own, say the same. Where
 * something was written does not count.
 */
#ifndef SUPERD_CONF_COMPARE_H
#define SUPERD_CONF_COMPARE_H

#include "superd/conf.h"

#include <stdbool.h>

/* Whether an administrator would say that nothing has changed. */
bool conf_service_equal(const struct conf_service *one, const struct conf_service *other);

/* Whether their sockets are the same, in the same order, and handled alike (wait). */
bool conf_service_equal_sockets(const struct conf_service *one, const struct conf_service *other);

/* Whether their sockets are set up alike: backlog, buffers, owner of the name, ... */
bool conf_service_equal_options(const struct conf_service *one, const struct conf_service *other);

/* Whether their lines go to the same place in the same way; what is logged may differ. */
bool conf_log_equal_target(const struct conf_log *one, const struct conf_log *other);

/* Orders sockets so that those that one open socket can serve are equal: type, address, device.
   one_device and other_device are their services' `bind-device`. Returns < 0, 0 or > 0. */
int conf_socket_order(const struct conf_socket *one, const char *one_device,
	const struct conf_socket *other, const char *other_device);

/* Whether not both can be bound at once although they are not the same: a wildcard address
   against a specific one, one device against all, two kinds of unix socket. */
bool conf_socket_overlaps(const struct conf_socket *one, const char *one_device,
	const struct conf_socket *other, const char *other_device);

#endif
