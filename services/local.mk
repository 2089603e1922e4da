# The bundled services: plain programs on descriptors 0 and 1, built with $(SERVICE_CC)
# (static musl where it is found).  Automake knows one compiler; GNU make's target-specific
# variables give these objects and programs theirs.
SERVICE_ALL_CFLAGS = -std=gnu11 $(WARN_CFLAGS) $(SERVICE_CFLAGS)
SERVICE_LINK = $(AM_V_CCLD)$(SERVICE_CC) $(SERVICE_ALL_CFLAGS) $(CFLAGS) $(SERVICE_LDFLAGS) $(LDFLAGS) -o $@

noinst_LIBRARIES += services/libservice.a
services_libservice_a_CFLAGS = $(SERVICE_ALL_CFLAGS)
services_libservice_a_SOURCES =

$(services_libservice_a_OBJECTS): CC = $(SERVICE_CC)
