# Unit tests: C with cmocka, linked with what they test.
UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
UNIT_LDADD = superd/libsuperd.a $(CONFUSE_LIBS) $(CMOCKA_LIBS)
