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
