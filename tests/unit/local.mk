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
