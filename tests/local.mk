# What the Python tests start besides superd itself.
check_PROGRAMS += tests/system/probe
tests_system_probe_SOURCES = tests/system/probe.c
tests_system_probe_LDADD =
# It runs under memory limits that a sanitizer's run-time does not fit in.
tests/system/probe.$(OBJEXT) tests/system/probe$(EXEEXT): SANITIZER_CFLAGS =
# And it tells its signals' dispositions, which tests/coverage.c changes.
tests/system/probe.$(OBJEXT) tests/system/probe$(EXEEXT): COVERAGE_CFLAGS =
tests/system/probe.$(OBJEXT) tests/system/probe$(EXEEXT): COVERAGE_LDFLAGS =

# The library that makes superd's own calls fail while a test looks on.  A sanitizer's malloc is its
# own.
check_PROGRAMS += tests/system/fault.so
tests_system_fault_so_SOURCES = tests/system/fault.c
tests_system_fault_so_LDADD = -ldl
tests_system_fault_so_LDFLAGS = -shared
tests/system/fault.$(OBJEXT) tests/system/fault.so$(EXEEXT): AM_CFLAGS = -std=gnu11 $(WARN_CFLAGS) -fPIC \
	$(if $(SANITIZER_CFLAGS),-DFAULT_WITHOUT_MALLOC)

# The runner and its big brothers.  SUITES=... restricts make check ("make check SUITES=unit").
SUITES =
TESTS_RUN = $(PYTHON3) $(srcdir)/tests/run --build $(abs_builddir)

check-local:
	@$(TESTS_RUN) $(SUITES)

# What the tests start, built and not run.  By a make of its own: "all" is one too (config.h), and
# two that make the same library at once spoil it.
check-programs: all
	@$(MAKE) $(AM_MAKEFLAGS) $(check_PROGRAMS) $(check_LIBRARIES)

check-full: check-programs
	@$(PYTHON3) $(srcdir)/tests/full --build $(abs_builddir)

# The long form of what make check does for seconds: the reliability matrix, ten minutes of storm
# on the spool, broken files, many reloads, a hundred upgrades under load.
SOAK_SECONDS = 600
SOAK_UPGRADES = 100
soak: all check-programs
	@SUPERD_BUILD=$(abs_builddir) SUPERD_LONG=1 $(PYTHON3) -m pytest -q -p no:cacheprovider \
		$(srcdir)/tests/system/test_faults_*.py $(srcdir)/tests/system/test_children.py \
		$(srcdir)/tests/conf/test_conf.py
	@SUPERD_BUILD=$(abs_builddir) SUPERD_UPGRADES=$(SOAK_UPGRADES) $(PYTHON3) -m pytest -q -s \
		-p no:cacheprovider $(srcdir)/tests/system/test_upgrade_storm.py
	@SUPERD_BUILD=$(abs_builddir) SUPERD_STORM_SECONDS=$(SOAK_SECONDS) $(PYTHON3) -m pytest -q -s \
		-p no:cacheprovider $(srcdir)/tests/services/test_messenger_storm.py
	@SUPERD_BUILD=$(abs_builddir) SUPERD_FLIPS=10000 SUPERD_SLOW=1 SUPERD_HUP_ROUNDS=5 \
		SUPERD_RELOAD_SERVICES=10000 SUPERD_RELOAD_ROUNDS=2000 \
		$(PYTHON3) -m pytest -q -s -p no:cacheprovider \
		$(srcdir)/tests/system/test_reload_file.py \
		$(srcdir)/tests/system/test_reload_random.py \
		$(srcdir)/tests/system/test_reload_storm.py

# Which lines the tests run: below BUILD/coverage, with pages to read in html/.
coverage:
	@$(PYTHON3) $(srcdir)/tests/coverage --build $(abs_builddir) $(SUITES)

# What each program is linked with in a build of that kind; empty in any other.
$(sbin_PROGRAMS) $(bin_PROGRAMS) $(pkglibexec_PROGRAMS) $(check_PROGRAMS): $(COVERAGE_OBJECT)
tests/coverage.$(OBJEXT): tests/coverage.c
	$(AM_V_CC)$(MKDIR_P) tests && $(COMPILE) -fno-profile-arcs -fno-test-coverage -c -o $@ $(srcdir)/tests/coverage.c

check-fresh:
	@$(PYTHON3) $(srcdir)/tests/fresh --work $(abs_builddir)/fresh

.PHONY: check-programs check-full check-fresh coverage soak

# The tests are shipped as they stand in the source tree: a list of them would go stale.
dist-hook:
	for folder in tests etc; do \
		cp -R $(srcdir)/$$folder $(distdir)/ && chmod -R u+w $(distdir)/$$folder || exit 1; \
	done
	find $(distdir) -name __pycache__ -prune -exec rm -rf {} +

include tests/bench/local.mk

# the configuration loader
check_PROGRAMS += tests/conf/confcheck
tests_conf_confcheck_SOURCES = tests/conf/confcheck.c
tests_conf_confcheck_LDADD = superd/libsuperd.a $(CONFUSE_LIBS)
EXTRA_DIST += tests/conf/test_conf.py tests/conf/test_conf_fault.py tests/conf/fault.c tests/conf/good tests/conf/bad
EXTRA_DIST += tests/lint/man-schema
EXTRA_DIST += tests/fuzz/fuzz_conf.c tests/fuzz/fuzz_addr.c tests/fuzz/conf.dict tests/fuzz/corpus
