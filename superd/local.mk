# The daemon: everything but main.c is a library, so that the tests link what the daemon runs.
noinst_LIBRARIES += superd/libsuperd.a
superd_libsuperd_a_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS)
superd_libsuperd_a_SOURCES = \
	superd/addr.c superd/addr.h \
	superd/error.c superd/error.h

sbin_PROGRAMS += superd/superd
superd_superd_SOURCES = superd/main.c
superd_superd_LDADD = superd/libsuperd.a $(CONFUSE_LIBS)
