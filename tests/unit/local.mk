
# addr and the configuration loader
check_PROGRAMS += tests/unit/test_addr
tests_unit_test_addr_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_addr_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_conf_scan
tests_unit_test_conf_scan_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_scan_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_conf_value
tests_unit_test_conf_value_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_value_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_conf_endpoint
tests_unit_test_conf_endpoint_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_endpoint_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_conf_memory
tests_unit_test_conf_memory_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_memory_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_conf_file
tests_unit_test_conf_file_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_file_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_conf_load
tests_unit_test_conf_load_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_load_LDADD = superd/libsuperd.a $(CMOCKA_LIBS) $(CONFUSE_LIBS)
