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

# The fuzz targets alone, each for so long, with a find in BUILD/full/fuzz.
FUZZ_S = 600
fuzz: all
	@$(PYTHON3) $(srcdir)/tests/full --build $(abs_builddir) --fuzz-seconds $(FUZZ_S) fuzz

# The long forms, in parts: the mixed soak (half an hour of load with a fault every few seconds; a
# seed repeats its faults), and what make check does for seconds: the reliability matrix, the storm on
# the spool, upgrades under load, reloads and broken files.  make soak SOAK="mixed storm" for some.
SOAK = mixed matrix upgrades storm reload
SOAK_S = 1800
SOAK_SEED =
SOAK_KINDS =
SOAK_SECONDS = 600
SOAK_UPGRADES = 100
SOAK_PYTEST = SUPERD_BUILD=$(abs_builddir) $(PYTHON3) -m pytest -q -s -p no:cacheprovider

soak: all check-programs
	@failed=; for part in $(SOAK); do \
		$(MAKE) $(AM_MAKEFLAGS) soak-$$part || failed="$$failed $$part"; \
	done; test -z "$$failed" || { echo "soak: failed:$$failed"; exit 1; }

soak-mixed:
	@$(PYTHON3) $(srcdir)/tests/soak/soak --build=$(abs_builddir) --seconds=$(SOAK_S) \
		--kinds=$(SOAK_KINDS) $(if $(SOAK_SEED),--seed=$(SOAK_SEED)) --verbose

soak-matrix:
	@SUPERD_LONG=1 $(SOAK_PYTEST) $(srcdir)/tests/system/test_faults_*.py \
		$(srcdir)/tests/system/test_children.py $(srcdir)/tests/conf/test_conf.py

soak-upgrades:
	@SUPERD_UPGRADES=$(SOAK_UPGRADES) $(SOAK_PYTEST) $(srcdir)/tests/system/test_upgrade_storm.py

soak-storm:
	@SUPERD_STORM_SECONDS=$(SOAK_SECONDS) $(SOAK_PYTEST) \
		$(srcdir)/tests/services/test_messenger_storm.py

soak-reload:
	@SUPERD_FLIPS=10000 SUPERD_SLOW=1 SUPERD_HUP_ROUNDS=5 SUPERD_RELOAD_SERVICES=10000 \
		SUPERD_RELOAD_ROUNDS=2000 $(SOAK_PYTEST) \
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

.PHONY: check-programs check-full check-fresh coverage fuzz
.PHONY: soak soak-mixed soak-matrix soak-upgrades soak-storm soak-reload

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
