dist_man_MANS += man/superd.8
# Manual page of the line client.
dist_man_MANS += man/tcpcli.1
# How to write a service, and the bundled services
dist_man_MANS += man/superd-service.7 \
	man/superd-chargen.8 man/superd-daytime.8 man/superd-discard.8 man/superd-echo.8 \
	man/superd-hello.8 man/superd-number.8 man/superd-sum.8 man/superd-time.8
# chat
dist_man_MANS += man/superd-chat.8
dist_man_MANS += man/superd.conf.5
# messenger and its client
dist_man_MANS += man/superd-messenger.8 man/climess.1
# the control program, and the service that tells its metrics
dist_man_MANS += man/superctl.8 man/superd-metrics.8
