# The clients: ordinary programs, built with the ordinary compiler; nothing of superd/ in them.

# tcpcli
bin_PROGRAMS += services/clients/tcpcli
services_clients_tcpcli_SOURCES = \
	services/clients/args.c services/clients/args.h \
	services/clients/binary.c services/clients/binary.h \
	services/clients/buffer.c services/clients/buffer.h \
	services/clients/bulk.c services/clients/bulk.h \
	services/clients/connect.c services/clients/connect.h \
	services/clients/datagram.c services/clients/datagram.h \
	services/clients/fault.c services/clients/fault.h \
	services/clients/session.c services/clients/session.h \
	services/clients/sum.c services/clients/sum.h \
	services/clients/tcpcli.c
services_clients_tcpcli_LDADD = services/libservice_cc.a -lpthread

# climess
bin_PROGRAMS += services/clients/climess
services_clients_climess_SOURCES = \
	services/clients/climess.c \
	services/clients/collect.c services/clients/collect.h \
	services/clients/connect.c services/clients/connect.h \
	services/clients/fault.c services/clients/fault.h \
	services/clients/post.c services/clients/post.h \
	services/clients/wire.c services/clients/wire.h
services_clients_climess_CFLAGS = $(AM_CFLAGS)
services_clients_climess_LDADD = services/libservice_cc.a
