# Unit tests: C with cmocka, linked with what they test.
UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
UNIT_LDADD = superd/libsuperd.a $(CONFUSE_LIBS) $(CMOCKA_LIBS)

# addr
check_PROGRAMS += tests/unit/test_addr
tests_unit_test_addr_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_addr_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)


# the daemon's middle layers
check_PROGRAMS += tests/unit/test_children tests/unit/test_childenv tests/unit/test_limit
EXTRA_DIST += tests/unit/unit.h
tests_unit_test_children_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_children_LDADD = $(UNIT_LDADD)
tests_unit_test_childenv_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_childenv_LDADD = $(UNIT_LDADD)
tests_unit_test_limit_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_limit_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_spawn
tests_unit_test_spawn_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_spawn_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_pidfile
tests_unit_test_pidfile_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_pidfile_LDADD = $(UNIT_LDADD)
check_PROGRAMS += tests/unit/test_descriptor
tests_unit_test_descriptor_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_descriptor_LDADD = $(UNIT_LDADD)
# The clients' pure parts.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_binary
endif
tests_unit_test_binary_SOURCES = tests/unit/test_binary.c \
	services/clients/binary.c services/clients/buffer.c services/clients/fault.c \
	services/clients/sum.c
tests_unit_test_binary_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_binary_LDADD = $(CMOCKA_LIBS)
# libservice and what is pure in the services, with the ordinary compiler
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_addition tests/unit/test_dgram tests/unit/test_io \
	tests/unit/test_line tests/unit/test_options tests/unit/test_peer tests/unit/test_text
tests_unit_test_addition_SOURCES = tests/unit/test_addition.c services/addition.c
tests_unit_test_addition_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_addition_LDADD = services/libservice_cc.a $(CMOCKA_LIBS)
tests_unit_test_dgram_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_dgram_LDADD = services/libservice_cc.a $(CMOCKA_LIBS)
tests_unit_test_io_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_io_LDADD = services/libservice_cc.a $(CMOCKA_LIBS)
tests_unit_test_line_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_line_LDADD = services/libservice_cc.a $(CMOCKA_LIBS)
tests_unit_test_options_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_options_LDADD = services/libservice_cc.a $(CMOCKA_LIBS)
tests_unit_test_peer_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_peer_LDADD = services/libservice_cc.a $(CMOCKA_LIBS)
tests_unit_test_text_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_text_LDADD = services/libservice_cc.a $(CMOCKA_LIBS)
endif
