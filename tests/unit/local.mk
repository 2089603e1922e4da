# Unit tests: C with cmocka, linked with what they test.  A new test of the daemon, of libservice
# or of a client is one name in its list; helpers beside it are its _SOURCES.

# of superd/: linked with everything but main.c
DAEMON_UNIT_TESTS = \
	tests/unit/test_acl \
	tests/unit/test_acl_text \
	tests/unit/test_addr \
	tests/unit/test_childenv \
	tests/unit/test_children \
	tests/unit/test_clock \
	tests/unit/test_conf_compare \
	tests/unit/test_conf_image \
	tests/unit/test_descriptor \
	tests/unit/test_descriptor_raise \
	tests/unit/test_errpipe \
	tests/unit/test_format \
	tests/unit/test_holder \
	tests/unit/test_hours \
	tests/unit/test_inherit \
	tests/unit/test_limit \
	tests/unit/test_limit_carry \
	tests/unit/test_limit_table \
	tests/unit/test_listener_change \
	tests/unit/test_log \
	tests/unit/test_log_file \
	tests/unit/test_log_sink \
	tests/unit/test_log_syslog \
	tests/unit/test_loop \
	tests/unit/test_loop_kind \
	tests/unit/test_loop_random \
	tests/unit/test_loop_time \
	tests/unit/test_notify \
	tests/unit/test_pidfile \
	tests/unit/test_reload_plan \
	tests/unit/test_reload_tell \
	tests/unit/test_sockdiag \
	tests/unit/test_spawn \
	tests/unit/test_state \
	tests/unit/test_timer

# of services/: linked with libservice by the ordinary compiler
SERVICE_UNIT_TESTS = \
	tests/unit/test_addition \
	tests/unit/test_dgram \
	tests/unit/test_io \
	tests/unit/test_line \
	tests/unit/test_options \
	tests/unit/test_peer \
	tests/unit/test_text

# of services/mail/, the parts of messenger
MAIL_UNIT_TESTS = \
	tests/unit/test_mail_login \
	tests/unit/test_mail_name \
	tests/unit/test_mail_passwd

# of services/clients/: the pure parts
CLIENT_UNIT_TESTS = \
	tests/unit/test_binary

tests_unit_test_addition_SOURCES = tests/unit/test_addition.c services/addition.c
# compiled anew here: the service's own object is for another compiler
tests_unit_test_addition_CFLAGS = $(AM_CFLAGS)
tests_unit_test_binary_SOURCES = tests/unit/test_binary.c \
	services/clients/binary.c services/clients/buffer.c services/clients/fault.c \
	services/clients/sum.c
tests_unit_test_binary_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_binary_LDADD = $(CMOCKA_LIBS)

unit_log_lines = tests/unit/log_lines.c tests/unit/log_lines.h
unit_loop_probe = tests/unit/loop_probe.c tests/unit/loop_probe.h
tests_unit_test_errpipe_SOURCES = tests/unit/test_errpipe.c $(unit_loop_probe)
tests_unit_test_log_SOURCES = tests/unit/test_log.c tests/unit/json_reader.c tests/unit/json_reader.h
tests_unit_test_log_file_SOURCES = tests/unit/test_log_file.c $(unit_log_lines)
tests_unit_test_log_sink_SOURCES = tests/unit/test_log_sink.c $(unit_log_lines)
tests_unit_test_log_syslog_SOURCES = tests/unit/test_log_syslog.c $(unit_log_lines)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c $(unit_loop_probe)
tests_unit_test_loop_kind_SOURCES = tests/unit/test_loop_kind.c $(unit_loop_probe)
tests_unit_test_loop_random_SOURCES = tests/unit/test_loop_random.c $(unit_loop_probe)
tests_unit_test_loop_time_SOURCES = tests/unit/test_loop_time.c $(unit_loop_probe)
tests_unit_test_conf_compare_SOURCES = tests/unit/test_conf_compare.c tests/unit/conf_text.c tests/unit/conf_text.h
tests_unit_test_reload_plan_SOURCES = tests/unit/test_reload_plan.c tests/unit/conf_text.c tests/unit/conf_text.h
tests_unit_test_reload_tell_SOURCES = tests/unit/test_reload_tell.c $(unit_log_lines) $(unit_loop_probe)

UNIT_TESTS = $(DAEMON_UNIT_TESTS) $(SERVICE_UNIT_TESTS) $(MAIL_UNIT_TESTS) $(CLIENT_UNIT_TESTS)
if HAVE_CMOCKA
check_PROGRAMS += $(UNIT_TESTS)
endif
EXTRA_DIST += tests/unit/unit.h

# What a test is linked with: the default LDADD of its recipe, and what make rebuilds first.
$(UNIT_TESTS): AM_CFLAGS += $(CMOCKA_CFLAGS)
$(DAEMON_UNIT_TESTS): superd/libsuperd.a
$(DAEMON_UNIT_TESTS): LDADD = superd/libsuperd.a $(CONFUSE_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS)
$(SERVICE_UNIT_TESTS): services/libservice_cc.a
$(SERVICE_UNIT_TESTS): LDADD = services/libservice_cc.a $(CMOCKA_LIBS)
$(MAIL_UNIT_TESTS): services/libmail.a services/libservice_cc.a
$(MAIL_UNIT_TESTS): LDADD = $(MAIL_LIBS) $(CMOCKA_LIBS)
$(CLIENT_UNIT_TESTS): LDADD = $(CMOCKA_LIBS)

# of services/chatroom/: linked with all of chat but its main()
CHAT_UNIT_TESTS = \
	tests/unit/test_chat_command \
	tests/unit/test_chat_input \
	tests/unit/test_chat_name \
	tests/unit/test_chat_printable \
	tests/unit/test_chat_queue \
	tests/unit/test_chat_rate \
	tests/unit/test_chat_talk
UNIT_TESTS += $(CHAT_UNIT_TESTS)
$(CHAT_UNIT_TESTS): services/libchat_cc.a services/libservice_cc.a
$(CHAT_UNIT_TESTS): LDADD = services/libchat_cc.a services/libservice_cc.a $(CMOCKA_LIBS)
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

# what a load leaves of acl and limits, and what is said about it
unit_conf_text = tests/unit/conf_text.c tests/unit/conf_text.h
check_PROGRAMS += tests/unit/test_conf_policy tests/unit/test_explain
tests_unit_test_conf_policy_SOURCES = tests/unit/test_conf_policy.c $(unit_conf_text)
tests_unit_test_conf_policy_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_conf_policy_LDADD = superd/libsuperd.a $(CONFUSE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_explain_SOURCES = tests/unit/test_explain.c $(unit_conf_text)
tests_unit_test_explain_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_explain_LDADD = superd/libsuperd.a $(CONFUSE_LIBS) $(CMOCKA_LIBS)

# the control socket, superctl and the metrics
CONTROL_UNIT_TESTS = \
	tests/unit/test_control_output \
	tests/unit/test_control_request \
	tests/unit/test_histogram \
	tests/unit/test_superctl
UNIT_TESTS += $(CONTROL_UNIT_TESTS)
$(CONTROL_UNIT_TESTS): superd/libsuperd.a superd/libsuperctl.a
$(CONTROL_UNIT_TESTS): LDADD = superd/libsuperctl.a superd/libsuperd.a $(CONFUSE_LIBS) \
	$(JANSSON_LIBS) $(CMOCKA_LIBS)
