
# the configuration loader
check_PROGRAMS += tests/conf/confcheck
tests_conf_confcheck_SOURCES = tests/conf/confcheck.c
tests_conf_confcheck_LDADD = superd/libsuperd.a $(CONFUSE_LIBS)
