# The shipped configuration, the systemd unit and the init script.  An administrator's file is
# never touched: what is there stays, and only what is as it was shipped is removed again.
EXTRA_DIST += etc/superd.conf etc/superd.d/README etc/superd.service.in etc/superd.init

systemdsystemunit_DATA = etc/superd.service
CLEANFILES += etc/superd.service

etc/superd.service: etc/superd.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' \
		-e 's|@sysconfdir[@]|$(sysconfdir)|g' $(srcdir)/etc/superd.service.in >$@

# The user of messenger and its spool, for systemd-sysusers(8) and systemd-tmpfiles(8).
sysusersdir = $(prefix)/lib/sysusers.d
dist_sysusers_DATA = etc/sysusers.d/superd.conf
tmpfilesdir = $(prefix)/lib/tmpfiles.d
tmpfiles_DATA = etc/tmpfiles.d/superd.conf
EXTRA_DIST += etc/tmpfiles.d/superd.conf.in
CLEANFILES += etc/tmpfiles.d/superd.conf

etc/tmpfiles.d/superd.conf: etc/tmpfiles.d/superd.conf.in Makefile
	$(AM_V_GEN)$(MKDIR_P) etc/tmpfiles.d && $(SED) -e 's|@localstatedir[@]|$(localstatedir)|g' \
		$(srcdir)/etc/tmpfiles.d/superd.conf.in >$@

INSTALL_CONFIG = superd.conf superd.d/README

install-data-local:
	@$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/superd.d'
	@for file in $(INSTALL_CONFIG); do \
		target='$(DESTDIR)$(sysconfdir)'/$$file; \
		if test -e "$$target"; then \
			echo "$$target is there already: not touched"; \
		else \
			$(INSTALL_DATA) $(srcdir)/etc/$$file "$$target" || exit 1; \
		fi; \
	done

uninstall-local:
	@for file in $(INSTALL_CONFIG); do \
		target='$(DESTDIR)$(sysconfdir)'/$$file; \
		if cmp -s $(srcdir)/etc/$$file "$$target"; then rm -f "$$target"; fi; \
	done
	@rmdir '$(DESTDIR)$(sysconfdir)/superd.d' 2>/dev/null || :
