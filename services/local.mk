# The bundled services: plain programs on descriptors 0 and 1, built with $(SERVICE_CC)
# (static musl where it is found).  Automake knows one compiler; GNU make's target-specific
# variables give these objects and programs theirs.
#
# A new service of one file, services/NAME.c: add services/NAME to SERVICES.  One of several files
# sets services_NAME_SOURCES as well.
SERVICES = services/echo services/discard services/daytime services/time services/chargen \
	services/hello services/sum services/number
services_sum_SOURCES = services/sum.c services/addition.c services/addition.h
pkglibexec_PROGRAMS += $(SERVICES)

# chat.  Its parts lie in chatroom/, for services/chat is the program; all but its main() is compiled
# a second time, with the ordinary compiler, for its tests.
SERVICES += services/chat
libchat_sources = \
	services/chatroom/client.c services/chatroom/client.h \
	services/chatroom/command.c services/chatroom/command.h \
	services/chatroom/door.c services/chatroom/door.h \
	services/chatroom/input.c services/chatroom/input.h \
	services/chatroom/loop.c services/chatroom/loop.h \
	services/chatroom/name.c services/chatroom/name.h \
	services/chatroom/printable.c services/chatroom/printable.h \
	services/chatroom/queue.c services/chatroom/queue.h \
	services/chatroom/rate.c services/chatroom/rate.h \
	services/chatroom/report.c services/chatroom/report.h \
	services/chatroom/room.c services/chatroom/room.h \
	services/chatroom/talk.c services/chatroom/talk.h
services_chat_SOURCES = services/chat.c $(libchat_sources)
check_LIBRARIES += services/libchat_cc.a
services_libchat_cc_a_CFLAGS = $(AM_CFLAGS)
services_libchat_cc_a_SOURCES = $(libchat_sources)

# metrics.  Its parts lie in scrape/, for services/metrics is the program.
SERVICES += services/metrics
services_metrics_SOURCES = services/metrics.c \
	services/scrape/http.c services/scrape/http.h \
	services/scrape/source.c services/scrape/source.h

SERVICE_ALL_CFLAGS = -std=gnu11 $(WARN_CFLAGS) $(SERVICE_CFLAGS)

# What every service shares, compiled twice: for the services, and with the ordinary compiler for
# the tests and for programs that need a library musl lacks.
libservice_sources = \
	services/lib/dgram.c services/lib/dgram.h \
	services/lib/io.c services/lib/io.h \
	services/lib/kind.c services/lib/kind.h \
	services/lib/line.c services/lib/line.h \
	services/lib/listen.c services/lib/listen.h \
	services/lib/note.c services/lib/note.h \
	services/lib/options.c services/lib/options.h \
	services/lib/peer.c services/lib/peer.h \
	services/lib/serve.c services/lib/serve.h \
	services/lib/serve_datagrams.c services/lib/serve_datagrams.h \
	services/lib/serve_listeners.c services/lib/serve_listeners.h \
	services/lib/text.c services/lib/text.h

noinst_LIBRARIES += services/libservice.a services/libservice_cc.a
services_libservice_a_CFLAGS = $(SERVICE_ALL_CFLAGS)
services_libservice_a_SOURCES = $(libservice_sources)
services_libservice_cc_a_CFLAGS = $(AM_CFLAGS)
services_libservice_cc_a_SOURCES = $(libservice_sources)

# Programs that name no LDADD of their own are services.
LDADD = services/libservice.a

service_objects = $(foreach program,$(SERVICES),$($(subst /,_,$(program))_OBJECTS))
$(services_libservice_a_OBJECTS) $(service_objects) $(SERVICES): CC = $(SERVICE_CC)
$(service_objects) $(SERVICES): AM_CFLAGS = $(SERVICE_ALL_CFLAGS)
$(SERVICES): AM_LDFLAGS = $(SERVICE_LDFLAGS)
$(SERVICES): LIBS =

# messenger, built with the ordinary compiler, because musl has no crypt(3).  Its parts lie in mail/,
# for services/messenger is the program; all but its command line is a library, for the tests.
pkglibexec_PROGRAMS += services/messenger
noinst_LIBRARIES += services/libmail.a
services_libmail_a_CFLAGS = $(AM_CFLAGS)
services_libmail_a_SOURCES = \
	services/mail/claims.c services/mail/claims.h \
	services/mail/delivery.c services/mail/delivery.h \
	services/mail/exchange.c services/mail/exchange.h \
	services/mail/fetch.c services/mail/fetch.h \
	services/mail/login.c services/mail/login.h \
	services/mail/mailbox.c services/mail/mailbox.h \
	services/mail/name.c services/mail/name.h \
	services/mail/output.c services/mail/output.h \
	services/mail/passwd.c services/mail/passwd.h \
	services/mail/send.c services/mail/send.h \
	services/mail/settings.h \
	services/mail/trouble.c services/mail/trouble.h
services_messenger_CFLAGS = $(AM_CFLAGS)
services_messenger_SOURCES = services/messenger.c
MAIL_LIBS = services/libmail.a services/libservice_cc.a $(CRYPT_LIBS)
services_messenger_LDADD = $(MAIL_LIBS)
