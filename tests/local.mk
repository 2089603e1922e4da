# What the Python tests start besides superd itself.
check_PROGRAMS += tests/system/probe
tests_system_probe_SOURCES = tests/system/probe.c
tests_system_probe_LDADD =
