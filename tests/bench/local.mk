# What make bench needs besides the daemon: the load generator, and the program behind the servers
# (built as the bundled services are).
EXTRA_PROGRAMS = tests/bench/load tests/bench/bare tests/bench/acl
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD =
tests_bench_hello_SOURCES = tests/bench/hello.c
tests_bench_hello_LDADD =
# access rules alone, without a daemon: tests/bench/acl [PREFIXES [SEED]]
tests_bench_acl_SOURCES = tests/bench/acl.c
tests_bench_acl_LDADD = superd/libsuperd.a
# crowds and floods, and what they are measured beside; the system tests use crowd and hello too
check_PROGRAMS += tests/bench/crowd tests/bench/hello
tests_bench_crowd_SOURCES = tests/bench/crowd.c
tests_bench_crowd_LDADD =
tests_bench_bare_SOURCES = tests/bench/bare.c
tests_bench_bare_LDADD =
# Generators stay fast where the daemon is slow.
tests/bench/crowd.$(OBJEXT) tests/bench/crowd$(EXEEXT): SANITIZER_CFLAGS =
CLEANFILES += $(EXTRA_PROGRAMS)

BENCH_BUILT = $(EXTRA_PROGRAMS) tests/bench/crowd tests/bench/hello

# By a variable, or automake would take these lines for the program's own rule.
BENCH_HELLO = tests/bench/hello
$(tests_bench_hello_OBJECTS) $(BENCH_HELLO): CC = $(SERVICE_CC)
$(tests_bench_hello_OBJECTS) $(BENCH_HELLO): AM_CFLAGS = $(SERVICE_ALL_CFLAGS)
$(BENCH_HELLO): AM_LDFLAGS = $(SERVICE_LDFLAGS)
$(BENCH_HELLO): LIBS =

bench: all
	@$(MAKE) $(AM_MAKEFLAGS) $(BENCH_BUILT)
	@$(PYTHON3) $(srcdir)/tests/bench/run --build $(abs_builddir) $(BENCH)

.PHONY: bench
