# What an administrator's system needs besides the programs: configuration, systemd units, init
# script, users, folders, logrotate.  An administrator's file is never touched: what is there
# stays, and only what is as it was shipped is removed again.
EXTRA_DIST += etc/superd.conf etc/superd.d/README etc/superd-bundled.conf \
	etc/superd.service.in etc/superd-bundled.service.in etc/superd.init.in \
	etc/tmpfiles.d/superd.conf.in etc/logrotate.d/superd.in

# The paths of this build in NAME.in
ETC_SUBSTITUTE = $(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|@localstatedir[@]|$(localstatedir)|g'
ETC_MADE = etc/superd.service etc/superd-bundled.service etc/superd.init \
	etc/tmpfiles.d/superd.conf etc/logrotate.d/superd
CLEANFILES += $(ETC_MADE)

etc/superd.service: etc/superd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(ETC_SUBSTITUTE) $(srcdir)/$@.in >$@

etc/superd-bundled.service: etc/superd-bundled.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(ETC_SUBSTITUTE) $(srcdir)/$@.in >$@

etc/superd.init: etc/superd.init.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(ETC_SUBSTITUTE) $(srcdir)/$@.in >$@ && chmod +x $@

etc/tmpfiles.d/superd.conf: etc/tmpfiles.d/superd.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/tmpfiles.d && $(ETC_SUBSTITUTE) $(srcdir)/$@.in >$@

etc/logrotate.d/superd: etc/logrotate.d/superd.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/logrotate.d && $(ETC_SUBSTITUTE) $(srcdir)/$@.in >$@

systemdsystemunit_DATA = etc/superd.service
# The strict unit is an example: with its configuration it lies beside the documentation.
examplesdir = $(docdir)/examples
examples_DATA = etc/superd-bundled.service
dist_examples_DATA = etc/superd-bundled.conf

# The user of messenger, its spool and the folder of the control socket, for systemd-sysusers(8)
# and systemd-tmpfiles(8).
sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = etc/sysusers.d/superd.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
tmpfiles_DATA = etc/tmpfiles.d/superd.conf

# Completions of both programs, where Debian's bash-completion and zsh look for them.
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = etc/completions/bash/superctl etc/completions/bash/superd
zshcompletiondir = $(datadir)/zsh/vendor-completions
dist_zshcompletion_DATA = etc/completions/zsh/_superctl etc/completions/zsh/_superd

# FILE:WHERE:MODE of what an administrator may have changed; FILE is in the sources or made here.
ETC_CONFIG = superd.conf:superd.conf:644 superd.d/README:superd.d/README:644 \
	superd.init:init.d/superd:755 logrotate.d/superd:logrotate.d/superd:644

all-local: $(ETC_MADE)

install-data-local: $(ETC_MADE)
	@for entry in $(ETC_CONFIG); do \
		file=$${entry%%:*}; rest=$${entry#*:}; mode=$${rest##*:}; \
		target='$(DESTDIR)$(sysconfdir)'/$${rest%:*}; source=etc/$$file; \
		test -e "$$source" || source='$(srcdir)'/etc/$$file; \
		if test -e "$$target"; then \
			echo "$$target is there already: not touched"; \
		else \
			$(MKDIR_P) "$${target%/*}" && \
			$(INSTALL) -m $$mode "$$source" "$$target" || exit 1; \
		fi; \
	done

uninstall-local:
	@for entry in $(ETC_CONFIG); do \
		file=$${entry%%:*}; rest=$${entry#*:}; \
		target='$(DESTDIR)$(sysconfdir)'/$${rest%:*}; source=etc/$$file; \
		test -e "$$source" || source='$(srcdir)'/etc/$$file; \
		if cmp -s "$$source" "$$target"; then rm -f "$$target"; fi; \
	done
	@for folder in superd.d init.d logrotate.d; do \
		rmdir '$(DESTDIR)$(sysconfdir)'/$$folder 2>/dev/null || :; \
	done
