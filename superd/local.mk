# The daemon: everything but main.c is a library, so that the tests link what the daemon runs.
noinst_LIBRARIES += superd/libsuperd.a
superd_libsuperd_a_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS)
superd_libsuperd_a_SOURCES = \
	superd/error.c superd/error.h

# layer 0: clock, descriptors, loop, log
superd_libsuperd_a_SOURCES += \
	superd/clock.c superd/clock.h \
	superd/fd.c superd/fd.h \
	superd/loop.c superd/loop.h superd/loop_backend.h \
	superd/loop_select.c superd/loop_epoll.c \
	superd/loop_timer.c superd/loop_timer.h \
	superd/loop_signal.c superd/loop_signal.h \
	superd/log.c superd/log.h \
	superd/log_sink.c superd/log_sink.h \
	superd/log_output.c superd/log_syslog.c

sbin_PROGRAMS += superd/superd
superd_superd_SOURCES = superd/main.c
superd_superd_LDADD = superd/libsuperd.a $(CONFUSE_LIBS)
