# What `make install` puts where, and the Debian package. The Makefile includes it.
#
#   PREFIX=/usr/local  SYSCONFDIR=/etc  UNITDIR=PREFIX/lib/systemd/system  DESTDIR=

UNITDIR ?= $(PREFIX)/lib/systemd/system
MANUALS := build/man/psync-relay.8 build/man/psync-relay.ini.5
DOCDIR := $(PREFIX)/share/doc/psync-relay

# A row: mode, what, where.
INSTALLED := \
    0755:$(PROGRAM):$(PREFIX)/bin/psync-relay \
    0644:build/man/psync-relay.8:$(PREFIX)/share/man/man8/psync-relay.8 \
    0644:build/man/psync-relay.ini.5:$(PREFIX)/share/man/man5/psync-relay.ini.5 \
    0644:etc/bash-completion/psync-relay:$(PREFIX)/share/bash-completion/completions/psync-relay \
    0644:build/units/psync-relay.service:$(UNITDIR)/psync-relay.service \
    0644:build/units/psync-relay@.service:$(UNITDIR)/psync-relay@.service \
    0644:etc/sysusers.d/psync-relay.conf:$(PREFIX)/lib/sysusers.d/psync-relay.conf \
    0644:etc/logrotate/psync-relay:$(SYSCONFDIR)/logrotate.d/psync-relay \
    $(foreach d,README.md $(wildcard docs/*.md),0644:$d:$(DOCDIR)/$d)
INI := $(DESTDIR)$(SYSCONFDIR)/psync-relay/psync-relay.ini

row = $(word $(1),$(subst :, ,$(2)))

.PHONY: man units install-files uninstall deb
man: $(MANUALS)

# The settings of the manual are those of the commented ini, which tests/style holds against the program.
build/man/psync-relay.ini.5: etc/man/psync-relay.ini.5 etc/man/settings.awk etc/psync-relay.ini
	$(Q)mkdir -p $(@D)
	$(Q)awk -f etc/man/settings.awk etc/psync-relay.ini etc/man/psync-relay.ini.5 >$@

build/man/psync-relay.8: etc/man/psync-relay.8
	$(Q)mkdir -p $(@D)
	$(Q)cp $< $@

# Written anew each time: where they lead depends on PREFIX and SYSCONFDIR.
units:
	$(Q)mkdir -p build/units
	$(Q)for unit in psync-relay psync-relay@; do \
	    sed -e 's|/usr/bin/psync-relay|$(PREFIX)/bin/psync-relay|' -e 's|/etc/psync-relay|$(SYSCONFDIR)/psync-relay|' \
	        etc/$$unit.service >build/units/$$unit.service || exit; \
	done

install: build ## install it all; an ini that is there stays (PREFIX, SYSCONFDIR, UNITDIR, DESTDIR)
	$(again) install-files

install-files: $(PROGRAM) man units
	$(Q)$(foreach r,$(INSTALLED),install -D -m $(call row,1,$r) $(call row,2,$r) $(DESTDIR)$(call row,3,$r) &&) :
	$(Q)test -e $(INI) || install -D -m 0640 etc/psync-relay.ini $(INI)

uninstall: ## remove what install put there, but an ini that was changed, and all data
	$(Q)rm -f $(foreach r,$(INSTALLED),$(DESTDIR)$(call row,3,$r))
	$(Q)for d in $(DOCDIR)/docs $(DOCDIR); do \
	    if test -d $(DESTDIR)$$d; then rmdir --ignore-fail-on-non-empty $(DESTDIR)$$d; fi; done
	$(Q)if cmp -s etc/psync-relay.ini $(INI); then rm -f $(INI) && rmdir --ignore-fail-on-non-empty $(dir $(INI)); fi

# A copy is built, because dpkg wants its debian/ at the top.
DEB_TREE := build/deb/psync-relay-$(VERSION)

deb: setup-deb ## build the Debian package into build/deb
	$(Q)rm -rf build/deb
	$(Q)mkdir -p $(DEB_TREE)/tests
	$(Q)tar -c --exclude='*.o' Makefile README.md CHANGELOG.md LICENSE docs etc include relay \
	    tests/*.mk tests/*/*.mk tests/support/setup.sh | \
	    tar -x -C $(DEB_TREE)
	$(Q)mv $(DEB_TREE)/etc/debian $(DEB_TREE)/debian
	$(Q)cd $(DEB_TREE) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -jauto -b -us -uc >../log 2>&1 || \
	    { tail -30 ../log; exit 1; }
	$(Q)ls build/deb/*.deb
