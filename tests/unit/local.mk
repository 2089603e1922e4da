# layer 0: clock, descriptors, loop, log
if HAVE_CMOCKA
BASE_UNIT_TESTS = tests/unit/test_clock tests/unit/test_fd tests/unit/test_timer tests/unit/test_loop \
	tests/unit/test_loop_time tests/unit/test_loop_kind tests/unit/test_loop_random \
	tests/unit/test_log tests/unit/test_log_sink tests/unit/test_log_file \
	tests/unit/test_log_syslog
check_PROGRAMS += $(BASE_UNIT_TESTS)
tests_unit_test_clock_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_clock_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_fd_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_fd_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_timer_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_timer_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c tests/unit/loop_probe.c tests/unit/loop_probe.h
tests_unit_test_loop_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_loop_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_loop_time_SOURCES = tests/unit/test_loop_time.c tests/unit/loop_probe.c tests/unit/loop_probe.h
tests_unit_test_loop_time_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_loop_time_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_loop_kind_SOURCES = tests/unit/test_loop_kind.c tests/unit/loop_probe.c tests/unit/loop_probe.h
tests_unit_test_loop_kind_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_loop_kind_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_loop_random_SOURCES = tests/unit/test_loop_random.c tests/unit/loop_probe.c tests/unit/loop_probe.h
tests_unit_test_loop_random_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_loop_random_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c tests/unit/json_reader.c tests/unit/json_reader.h
tests_unit_test_log_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_log_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_log_sink_SOURCES = tests/unit/test_log_sink.c tests/unit/log_lines.c tests/unit/log_lines.h
tests_unit_test_log_sink_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_log_sink_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_log_file_SOURCES = tests/unit/test_log_file.c tests/unit/log_lines.c tests/unit/log_lines.h
tests_unit_test_log_file_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_log_file_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
tests_unit_test_log_syslog_SOURCES = tests/unit/test_log_syslog.c tests/unit/log_lines.c tests/unit/log_lines.h
tests_unit_test_log_syslog_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_log_syslog_LDADD = superd/libsuperd.a $(CMOCKA_LIBS)
endif
