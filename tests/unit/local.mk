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
