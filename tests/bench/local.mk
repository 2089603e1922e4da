# What make bench needs besides the daemon: the load generator, and the program behind the servers
# (built as the bundled services are).
EXTRA_PROGRAMS = tests/bench/load tests/bench/hello
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD =
tests_bench_hello_SOURCES = tests/bench/hello.c
tests_bench_hello_LDADD =
CLEANFILES += $(EXTRA_PROGRAMS)

# By a variable, or automake would take these lines for the program's own rule.
BENCH_HELLO = tests/bench/hello
$(tests_bench_hello_OBJECTS) $(BENCH_HELLO): CC = $(SERVICE_CC)
$(tests_bench_hello_OBJECTS) $(BENCH_HELLO): AM_CFLAGS = $(SERVICE_ALL_CFLAGS)
$(BENCH_HELLO): AM_LDFLAGS = $(SERVICE_LDFLAGS)
$(BENCH_HELLO): LIBS =

bench: all
	@$(MAKE) $(AM_MAKEFLAGS) $(EXTRA_PROGRAMS)
	@$(PYTHON3) $(srcdir)/tests/bench/run --build $(abs_builddir) $(BENCH)

.PHONY: bench
