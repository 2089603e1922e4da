
# the configuration loader
check_PROGRAMS += tests/conf/confcheck
tests_conf_confcheck_SOURCES = tests/conf/confcheck.c
tests_conf_confcheck_LDADD = superd/libsuperd.a $(CONFUSE_LIBS)
EXTRA_DIST += tests/conf/test_conf.py tests/conf/good tests/conf/bad
