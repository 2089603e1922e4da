# The daemon: everything but main.c is a library, so that the tests link what the daemon runs.
noinst_LIBRARIES += superd/libsuperd.a
superd_libsuperd_a_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS)

# lowest: addresses, time, descriptors, loop, log
superd_libsuperd_a_SOURCES = \
	superd/addr.c superd/addr.h \
	superd/clock.c superd/clock.h \
	superd/descriptor.c superd/descriptor.h \
	superd/error.c superd/error.h \
	superd/log.c superd/log.h \
	superd/log_output.c superd/log_sink.c superd/log_sink.h superd/log_syslog.c \
	superd/loop.c superd/loop.h superd/loop_backend.h \
	superd/loop_epoll.c superd/loop_select.c \
	superd/loop_signal.c superd/loop_signal.h \
	superd/loop_timer.c superd/loop_timer.h \
	superd/step.c superd/step.h

# what a service is configured as, and may do
superd_libsuperd_a_SOURCES += \
	superd/acl.c superd/acl.h \
	superd/acl_table.c superd/acl_table.h \
	superd/acl_text.c superd/acl_text.h \
	superd/childenv.c superd/childenv.h \
	superd/conf.h \
	superd/creds.c superd/creds.h \
	superd/hours.c superd/hours.h \
	superd/limit.c superd/limit.h \
	superd/limit_table.c superd/limit_table.h \
	superd/pidfile.c superd/pidfile.h \
	superd/process.c superd/process.h

# the parts that service joins
superd_libsuperd_a_SOURCES += \
	superd/admit.c superd/admit.h \
	superd/children.c superd/children.h \
	superd/errpipe.c superd/errpipe.h \
	superd/listener.c superd/listener.h \
	superd/listener_socket.c superd/listener_socket.h \
	superd/report.c superd/report.h \
	superd/spawn.c superd/spawn.h superd/spawn_backend.h superd/spawn_raw.h \
	superd/spawn_child.c superd/spawn_fork.c
if HAVE_SPAWN_VM
superd_libsuperd_a_SOURCES += superd/spawn_vm.c
else
superd_libsuperd_a_SOURCES += superd/spawn_vm_none.c
endif
EXTRA_DIST += superd/spawn_vm.c superd/spawn_vm_none.c

# services, and the whole
superd_libsuperd_a_SOURCES += \
	superd/service.c superd/service.h superd/service_private.h \
	superd/service_accept.c superd/service_launch.c superd/service_wait.c \
	superd/super.c superd/super.h superd/super_private.h superd/super_start.c

sbin_PROGRAMS += superd/superd
superd_superd_SOURCES = superd/main.c
superd_superd_LDADD = superd/libsuperd.a $(CONFUSE_LIBS)
