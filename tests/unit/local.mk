# Unit tests: C with cmocka, linked with what they test.
UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
UNIT_LDADD = superd/libsuperd.a $(CONFUSE_LIBS) $(CMOCKA_LIBS)

# addr
check_PROGRAMS += tests/unit/test_addr
tests_unit_test_addr_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_addr_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
