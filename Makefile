# psync-relay. `make help` lists what can be made.
#
#   V=1            show the commands
#   SAN=address    with AddressSanitizer and UBSan;  SAN=thread: with ThreadSanitizer
#   CC=clang       another compiler
#   WERROR=-Werror a warning ends the build, as in make check and make test

ifeq ($(origin CC),default)
CC         := gcc
endif
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
VERSION    := 0.1.0
SAN        ?=

B        := build$(if $(SAN),/$(SAN))
SOURCES  := $(wildcard relay/*.c relay/*/*.c)
OBJECTS  := $(SOURCES:relay/%.c=$(B)/obj/%.o)
PROGRAM  := $(B)/psync-relay
PACKAGES := libevent_core openssl inih
# Used where they are installed; OPTIONAL= builds without them.
OPTIONAL ?= liblz4 libzstd libwslay

WERROR   ?=
WARNINGS := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual \
            -Wwrite-strings -Wvla -Wconversion -Wswitch-enum -Wundef -Wpointer-arith -Wformat-security
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection $(if $(SAN),,-D_FORTIFY_SOURCE=2)
# A sanitizer's build takes two thirds of the time at -O1, and its reports have more of the calls.
CFLAGS   ?= $(if $(filter address thread,$(SAN)),-O1,-O2) -g

FLAGS_        :=
FLAGS_address := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_thread  := -fsanitize=thread -fno-omit-frame-pointer
FLAGS_fuzz    := $(FLAGS_address) -fsanitize=fuzzer-no-link
ifeq ($(origin FLAGS_$(SAN)),undefined)
$(error SAN=$(SAN): there are SAN=address and SAN=thread, and SAN=fuzz for clang)
endif

# Asked once, and only when something is compiled: `make test` may have to install pkg-config first.
optional = $(if $(filter undefined,$(origin optional_found)),$(eval \
           optional_found := $(shell for p in $(OPTIONAL); do pkg-config --exists $$p && echo $$p; done)))$(optional_found)
packages = $(if $(filter undefined,$(origin packages_$(1))),$(eval \
           packages_$(1) := $(shell pkg-config --$(1) $(PACKAGES) $(optional))))$(packages_$(1))
# libwslay has no .pc file in Debian: its header says whether it is there.
wslay     = $(if $(filter undefined,$(origin wslay_found)),$(eval wslay_found := $(if $(filter libwslay,$(OPTIONAL)), \
           $(shell echo '\#include <wslay/wslay.h>' | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo yes))))$(wslay_found)
have      = $(if $(filter liblz4,$(optional)),-DHAVE_LZ4) $(if $(filter libzstd,$(optional)),-DHAVE_ZSTD) \
            $(if $(wslay),-DHAVE_WSLAY)
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iinclude -DRELAY_VERSION='"$(VERSION)"' $(WARNINGS) $(HARDEN) \
              $(CPPFLAGS) $(CFLAGS) $(FLAGS_$(SAN)) $(have) $(call packages,cflags)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(LDFLAGS) $(FLAGS_$(SAN))
LIBS        = $(call packages,libs) $(if $(wslay),-lwslay) -lpthread

Q    := $(if $(V),,@)
say   = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))
again = $(Q)$(MAKE) --no-print-directory

.DELETE_ON_ERROR:
.PHONY: all build check check-all unit replay style e2e test around demo format install clean help
.PHONY: servers setup-build setup-servers setup-test setup-demo setup-deb setup-fuzz FORCE
all: build

build: setup-build ## build the program as build/psync-relay (the default)
	$(again) $(PROGRAM)

$(PROGRAM): $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/obj/%.o: relay/%.c $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Changes only when the compiler or its flags do, and then everything is compiled again. Whether a warning
# ends the build makes no other object.
flags_told = $(subst ','\'',$(filter-out -Werror,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)))
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(flags_told)' | cmp -s - $@ || printf '%s\n' '$(flags_told)' >$@

# The status page is embedded in it.
$(B)/obj/status/page.o: $(wildcard relay/status/page/*)

-include $(OBJECTS:.o=.d)

include tests/tests.mk
include etc/install.mk

setup-build setup-servers setup-test setup-demo setup-deb setup-fuzz: setup-%:
	$(Q)tests/support/setup.sh $*

check: ## unit, replay and style tests: no network, no servers, under ten seconds
	$(again) WERROR=-Werror -k -j3 --output-sync=target unit replay style

check-all: export TESTS_ALL := 1
check-all: check ## check, with those tests whole that try every call of the store: half a minute

test: setup-test ## install what the tests need, build, then run all of them
	$(again) WERROR=-Werror programs
	$(again) -k -j1 check-all around

# What is installed waits for a machine to start, mostly: beside the servers it costs no time.
around:
	$(again) -k -j2 --output-sync=target installed e2e

servers: setup-servers ## unpack Redis 7.0 and Valkey 8 under build/servers/, to try things with

demo: setup-demo ## show the main job on servers that are started for it
	$(again) build
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/demo/demo.py

format: ## format the C sources in place
	$(Q)find relay include tests -name '*.[ch]' -exec clang-format -i {} +

clean: ## remove what was built; the servers under build/servers stay
	$(Q)rm -rf build/obj build/tests build/address build/thread build/fuzz build/clang build/flags \
	    build/bench build/man build/units build/deb build/psync-relay

help: ## this list
	@grep -hE '^[a-z0-9_-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
