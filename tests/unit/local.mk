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
# The clients' pure parts.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_binary
endif
tests_unit_test_binary_SOURCES = tests/unit/test_binary.c \
	services/clients/binary.c services/clients/buffer.c services/clients/fault.c \
	services/clients/sum.c
tests_unit_test_binary_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_binary_LDADD = $(CMOCKA_LIBS)

# messenger: logins, file names, passwords
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_login tests/unit/test_name tests/unit/test_passwd
endif
tests_unit_test_login_SOURCES = tests/unit/test_login.c
tests_unit_test_login_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_login_LDADD = $(MAIL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_name_SOURCES = tests/unit/test_name.c
tests_unit_test_name_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_name_LDADD = $(MAIL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_passwd_SOURCES = tests/unit/test_passwd.c
tests_unit_test_passwd_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_passwd_LDADD = $(MAIL_LIBS) $(CMOCKA_LIBS)
