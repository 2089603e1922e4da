
# the configuration loader
check_PROGRAMS += tests/conf/confcheck
tests_conf_confcheck_SOURCES = tests/conf/confcheck.c
tests_conf_confcheck_LDADD = superd/libsuperd.a $(CONFUSE_LIBS)
EXTRA_DIST += tests/conf/test_conf.py tests/conf/test_conf_fault.py tests/conf/fault.c tests/conf/good tests/conf/bad
EXTRA_DIST += tests/lint/man-schema
EXTRA_DIST += tests/fuzz/fuzz_conf.c tests/fuzz/fuzz_addr.c tests/fuzz/conf.dict tests/fuzz/corpus
