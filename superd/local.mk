# The daemon: everything but main.c is a library, so that the tests link what the daemon runs.
noinst_LIBRARIES += superd/libsuperd.a
superd_libsuperd_a_CFLAGS = $(AM_CFLAGS) $(CONFUSE_CFLAGS) $(JANSSON_CFLAGS)

# lowest: addresses, time, descriptors, loop, log
superd_libsuperd_a_SOURCES = \
	superd/addr.c superd/addr.h \
	superd/clock.c superd/clock.h \
	superd/descriptor.c superd/descriptor.h \
	superd/error.c superd/error.h \
	superd/format.c superd/format.h \
	superd/log.c superd/log.h \
	superd/log_output.c superd/log_sink.c superd/log_sink.h superd/log_syslog.c \
	superd/loop.c superd/loop.h superd/loop_backend.h \
	superd/loop_epoll.c superd/loop_select.c \
	superd/loop_signal.c superd/loop_signal.h \
	superd/loop_timer.c superd/loop_timer.h \
	superd/output.c superd/output.h \
	superd/sockdiag.c superd/sockdiag.h \
	superd/step.c superd/step.h

# what a service is configured as, and may do
superd_libsuperd_a_SOURCES += \
	superd/acl.c superd/acl.h \
	superd/acl_table.c superd/acl_table.h \
	superd/acl_text.c superd/acl_text.h \
	superd/childenv.c superd/childenv.h superd/childenv_pid.c \
	superd/creds.c superd/creds.h \
	superd/hours.c superd/hours.h \
	superd/limit.c superd/limit.h \
	superd/limit_table.c superd/limit_table.h \
	superd/notify.c superd/notify.h \
	superd/pidfile.c superd/pidfile.h \
	superd/process.c superd/process.h

# superd.conf: everything that knows libconfuse or the language
superd_libsuperd_a_SOURCES += \
	superd/conf.c superd/conf.h \
	superd/conf_arena.c superd/conf_arena.h \
	superd/conf_build.c superd/conf_build.h \
	superd/conf_check.c superd/conf_check.h \
	superd/conf_claim.c superd/conf_claim.h \
	superd/conf_compare.c superd/conf_compare.h \
	superd/conf_dump.c superd/conf_dump.h \
	superd/conf_endpoint.c superd/conf_endpoint.h \
	superd/conf_file.c superd/conf_file.h \
	superd/conf_ident.c superd/conf_ident.h \
	superd/conf_loader.c superd/conf_loader.h \
	superd/conf_map.c superd/conf_map.h \
	superd/conf_memory.c superd/conf_memory.h \
	superd/conf_merge.c superd/conf_merge.h \
	superd/conf_network.c superd/conf_network.h \
	superd/conf_outline.c superd/conf_outline.h \
	superd/conf_parse.c superd/conf_parse.h \
	superd/conf_pool.c superd/conf_pool.h \
	superd/conf_program.c superd/conf_program.h \
	superd/conf_report.c superd/conf_report.h \
	superd/conf_scan.c superd/conf_scan.h \
	superd/conf_schema.c superd/conf_schema.h \
	superd/conf_single.c superd/conf_single.h \
	superd/conf_source.c superd/conf_source.h \
	superd/conf_string.c superd/conf_string.h \
	superd/conf_suggest.c superd/conf_suggest.h \
	superd/conf_tree.c superd/conf_tree.h \
	superd/conf_value.c superd/conf_value.h \
	superd/conf_walk.c superd/conf_walk.h \
	superd/conf_build_acl.c superd/conf_build_control.c superd/conf_build_creds.c \
	superd/conf_build_exec.c \
	superd/conf_build_listen.c

# the parts that service joins
superd_libsuperd_a_SOURCES += \
	superd/admit.c superd/admit.h \
	superd/children.c superd/children.h \
	superd/errpipe.c superd/errpipe.h \
	superd/explain.c superd/explain.h \
	superd/histogram.c superd/histogram.h \
	superd/inherit.c superd/inherit.h \
	superd/listener.c superd/listener.h superd/listener_private.h \
	superd/listener_change.c superd/listener_change.h \
	superd/listener_socket.c superd/listener_socket.h \
	superd/report.c superd/report.h superd/report_control.c superd/report_daemon.c \
	superd/report_private.h \
	superd/spawn.c superd/spawn.h superd/spawn_backend.h superd/spawn_raw.h \
	superd/spawn_child.c superd/spawn_fork.c
if HAVE_SPAWN_VM
superd_libsuperd_a_SOURCES += superd/spawn_vm.c
else
superd_libsuperd_a_SOURCES += superd/spawn_vm_none.c
endif
EXTRA_DIST += superd/spawn_vm.c superd/spawn_vm_none.c

# The child of a shared-memory clone runs on a stack that a sanitizer's run-time does not know,
# and may call nothing: what it runs is never instrumented.
superd/libsuperd_a-spawn_child.$(OBJEXT) superd/libsuperd_a-spawn_vm.$(OBJEXT) \
superd/libsuperd_a-childenv_pid.$(OBJEXT): SANITIZER_CFLAGS =

# what is handed over in an upgrade
superd_libsuperd_a_SOURCES += \
	superd/state.c superd/state.h superd/state_shape.c superd/state_shape.h \
	superd/upgrade.c superd/upgrade.h superd/upgrade_trial.c \
	superd/report_upgrade.c superd/service_adopt.c \
	superd/super_restore.c superd/super_snapshot.c superd/super_upgrade.c superd/super_upgrade.h

# a new configuration at run time
superd_libsuperd_a_SOURCES += \
	superd/holder.c superd/holder.h \
	superd/reload.c superd/reload.h superd/reload_private.h \
	superd/reload_commit.c superd/reload_load.c superd/reload_tell.c \
	superd/reload_leftover.c superd/reload_leftover.h \
	superd/reload_lines.c superd/reload_lines.h \
	superd/reload_plan.c superd/reload_plan.h \
	superd/reload_prepare.c superd/reload_prepare.h

# the control socket; control_client and control_request are superctl's as well
superd_libsuperd_a_SOURCES += \
	superd/control.c superd/control.h \
	superd/control_client.c superd/control_client.h \
	superd/control_output.c superd/control_output.h \
	superd/control_request.c superd/control_request.h \
	superd/control_session.c superd/control_session.h \
	superd/control_socket.c superd/control_socket.h

# services, and the whole
superd_libsuperd_a_SOURCES += \
	superd/service.c superd/service.h superd/service_private.h \
	superd/service_list.c superd/service_list.h \
	superd/service_change.c superd/service_change.h superd/service_sockets.c \
	superd/service_accept.c superd/service_deadline.c superd/service_launch.c superd/service_wait.c \
	superd/super.c superd/super.h superd/super_private.h superd/super_start.c superd/super_stop.c \
	superd/diff.c superd/diff.h superd/super_reload.c \
	superd/super_answer.h superd/super_connections.c superd/super_metrics.c \
	superd/super_explain.c superd/super_explain.h superd/super_glance.c superd/super_ops.c \
	superd/super_process.c superd/super_process.h superd/super_status.c

sbin_PROGRAMS += superd/superd
superd_superd_SOURCES = superd/main.c
superd_superd_LDADD = superd/libsuperd.a $(CONFUSE_LIBS) $(JANSSON_LIBS)

# its control program; what shows answers is a library, for the tests
noinst_LIBRARIES += superd/libsuperctl.a
superd_libsuperctl_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
superd_libsuperctl_a_SOURCES = \
	superd/superctl_connections.c superd/superctl_status.c superd/superctl_view.h \
	superd/superctl_table.c superd/superctl_table.h \
	superd/superctl_text.c superd/superctl_text.h \
	superd/superctl_top.c superd/superctl_top.h
sbin_PROGRAMS += superd/superctl
superd_superctl_SOURCES = superd/superctl.c
superd_superctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
superd_superctl_LDADD = superd/libsuperctl.a superd/libsuperd.a $(JANSSON_LIBS)
