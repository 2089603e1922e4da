# The clients' pure parts.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_binary
endif
tests_unit_test_binary_SOURCES = tests/unit/test_binary.c \
	services/clients/binary.c services/clients/buffer.c services/clients/fault.c \
	services/clients/sum.c
tests_unit_test_binary_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_binary_LDADD = $(CMOCKA_LIBS)
