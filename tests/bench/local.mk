# What make bench needs besides the daemon: the load generators, the bare loops, and the programs
# behind the servers (built as the bundled services are; hello-dynamic with the ordinary compiler).
EXTRA_PROGRAMS = tests/bench/load tests/bench/bulk tests/bench/limit tests/bench/bare \
	tests/bench/hello-dynamic tests/bench/hold tests/bench/acl
# Crowds and floods, which the system tests use too, as they do hello.
bench_shared = tests/bench/crowd tests/bench/hello
check_PROGRAMS += $(bench_shared)
bench_programs = $(EXTRA_PROGRAMS) $(bench_shared)
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD =
tests_bench_bulk_SOURCES = tests/bench/bulk.c
tests_bench_bulk_LDADD =
tests_bench_limit_SOURCES = tests/bench/limit.c
tests_bench_limit_LDADD =
tests_bench_bare_SOURCES = tests/bench/bare.c
tests_bench_bare_LDADD =
tests_bench_crowd_SOURCES = tests/bench/crowd.c
tests_bench_crowd_LDADD =
tests_bench_hello_SOURCES = tests/bench/hello.c
tests_bench_hello_LDADD =
tests_bench_hold_SOURCES = tests/bench/hold.c
tests_bench_hold_LDADD =
tests_bench_hello_dynamic_SOURCES = tests/bench/hello.c
tests_bench_hello_dynamic_LDADD =
tests_bench_hello_dynamic_CFLAGS = $(AM_CFLAGS)
# access rules alone, without a daemon: tests/bench/acl [PREFIXES [SEED]]
tests_bench_acl_SOURCES = tests/bench/acl.c
tests_bench_acl_LDADD = superd/libsuperd.a
CLEANFILES += $(EXTRA_PROGRAMS)

# Generators stay fast where the daemon is slow.
tests/bench/crowd.$(OBJEXT) tests/bench/crowd$(EXEEXT): SANITIZER_CFLAGS =

# By a variable, or automake would take these lines for the programs' own rules.
BENCH_STATIC = tests/bench/hello tests/bench/hold
$(tests_bench_hello_OBJECTS) $(tests_bench_hold_OBJECTS) $(BENCH_STATIC): CC = $(SERVICE_CC)
$(tests_bench_hello_OBJECTS) $(tests_bench_hold_OBJECTS) $(BENCH_STATIC): \
	AM_CFLAGS = $(SERVICE_ALL_CFLAGS)
$(BENCH_STATIC): AM_LDFLAGS = $(SERVICE_LDFLAGS)
$(BENCH_STATIC): LIBS =

# make bench BENCH="--quick"; make bench BENCH=--help
BENCH =
bench: all
	@$(MAKE) $(AM_MAKEFLAGS) $(bench_programs)
	@$(PYTHON3) -B $(srcdir)/tests/bench/run --build $(abs_builddir) $(BENCH)

# What limits and access rules cost: a quarter of an hour.
bench-limits: all
	@$(MAKE) $(AM_MAKEFLAGS) $(bench_programs)
	@tests/bench/acl
	@$(PYTHON3) -B $(srcdir)/tests/bench/acl-load --build $(abs_builddir)
	@$(PYTHON3) -B $(srcdir)/tests/bench/flood --build $(abs_builddir)
	@$(PYTHON3) -B $(srcdir)/tests/bench/refuse --build $(abs_builddir)

.PHONY: bench bench-limits
