# The daemon: everything but main.c is a library, so that the tests link what the daemon runs.
noinst_LIBRARIES += superd/libsuperd.a
superd_libsuperd_a_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS)
superd_libsuperd_a_SOURCES = \
	superd/addr.c superd/addr.h \
	superd/conf.c superd/conf.h \
	superd/conf_arena.c superd/conf_arena.h \
	superd/conf_build.c superd/conf_build.h \
	superd/conf_check.c superd/conf_check.h \
	superd/conf_claim.c superd/conf_claim.h \
	superd/conf_dump.c superd/conf_dump.h \
	superd/conf_endpoint.c superd/conf_endpoint.h \
	superd/conf_file.c superd/conf_file.h \
	superd/conf_ident.c superd/conf_ident.h \
	superd/conf_loader.c superd/conf_loader.h \
	superd/conf_map.c superd/conf_map.h \
	superd/conf_merge.c superd/conf_merge.h \
	superd/conf_outline.c superd/conf_outline.h \
	superd/conf_parse.c superd/conf_parse.h \
	superd/conf_pool.c superd/conf_pool.h \
	superd/conf_program.c superd/conf_program.h \
	superd/conf_report.c superd/conf_report.h \
	superd/conf_scan.c superd/conf_scan.h \
	superd/conf_schema.c superd/conf_schema.h \
	superd/conf_source.c superd/conf_source.h \
	superd/conf_string.c superd/conf_string.h \
	superd/conf_suggest.c superd/conf_suggest.h \
	superd/conf_tree.c superd/conf_tree.h \
	superd/conf_value.c superd/conf_value.h \
	superd/conf_walk.c superd/conf_walk.h \
	superd/conf_build_creds.c superd/conf_build_exec.c superd/conf_build_listen.c \
	superd/creds.c superd/creds.h \
	superd/error.c superd/error.h

sbin_PROGRAMS += superd/superd
superd_superd_SOURCES = superd/main.c
superd_superd_LDADD = superd/libsuperd.a $(CONFUSE_LIBS)
