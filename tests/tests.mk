# The test programs: each tests/unit/**/test_*.c and tests/replay/**/test_*.c is one, linked with the relay as an
# archive. The objects of tests/support/ whose headers it includes come before the archive, and so stand in for the
# parts of the relay that they are named after (fake_conn for net/conn).

comma := ,
UNIT_TESTS   := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c tests/unit/*/test_*.c))
REPLAY_TESTS := $(patsubst tests/replay/%.c,%,$(wildcard tests/replay/*/test_*.c))
LIBRARY      := $(B)/obj/relay.a

# The calls that support/fault.c makes fail: a program that is linked with it needs these flags.
FAULT := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc mmap open openat fcntl mkdirat \
         posix_fallocate write pwrite ftruncate renameat linkat unlinkat close fsync fdatasync msync)

# $(1) program:stand-in,stand-in
stand_ins_of = $(patsubst %,$(B)/tests/obj/support/%.o,$(subst $(comma), ,$(word 2,$(subst :, ,$(1)))))
program_of   = $(firstword $(subst :, ,$(1)))
define test_program
$(B)/tests/$(program_of): $(B)/tests/obj/$(program_of).o $(stand_ins_of) $(B)/tests/obj/support/test.o $(LIBRARY)
$(if $(findstring fault.o,$(stand_ins_of)),$(B)/tests/$(program_of): TEST_LDFLAGS := $(FAULT))
endef
define fuzz_program
$(B)/$(program_of:fuzz/%=%): $(B)/tests/obj/$(program_of).o $(stand_ins_of) $(LIBRARY)
endef
TEST_FILES := $(wildcard $(foreach kind,unit replay fuzz support,tests/$(kind)/*.[ch] tests/$(kind)/*/*.[ch]))
TEST_ROWS  := $(if $(TEST_FILES),$(shell awk -f tests/support/stand_ins.awk $(TEST_FILES)))
$(foreach row,$(filter unit/% replay/%,$(TEST_ROWS)),$(eval $(call test_program,$(row))))
$(foreach row,$(filter fuzz/%,$(TEST_ROWS)),$(eval $(call fuzz_program,$(row))))

# Thin: the objects stay where they are.
$(LIBRARY): $(filter-out $(B)/obj/main.o,$(OBJECTS))
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcsT $@ $^

include tests/fuzz/fuzz.mk
include tests/sim/sim.mk

$(B)/tests/obj/%.o: tests/%.c $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/support -MMD -MP -c -o $@ $<

$(UNIT_TESTS:%=$(B)/tests/unit/%) $(REPLAY_TESTS:%=$(B)/tests/replay/%):
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $(TEST_LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) -lcmocka $(LIBS)

-include $(UNIT_TESTS:%=$(B)/tests/obj/unit/%.d) $(REPLAY_TESTS:%=$(B)/tests/obj/replay/%.d) \
         $(wildcard $(B)/tests/obj/support/*.d)

.PHONY: programs
programs: $(PROGRAM) $(UNIT_TESTS:%=$(B)/tests/unit/%) $(REPLAY_TESTS:%=$(B)/tests/replay/%)

unit: $(UNIT_TESTS:%=$(B)/tests/unit/%) ## the unit tests alone
	$(Q)tests/support/run.sh $^

replay: $(REPLAY_TESTS:%=$(B)/tests/replay/%) ## the state machines against a fake connection and clock
	$(Q)tests/support/run.sh $^

style: ## layers, states, words: what a compiler does not see
	$(Q)tests/style/check.sh

.PHONY: docs
docs: ## write docs/configuration.md from the table of settings and etc/psync-relay.ini
	$(Q)PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/style/settings.py --write

e2e: $(PROGRAM) ## real servers, digests compared
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -m pytest -q -p no:cacheprovider -n $(or $(E2E_JOBS),6) $(E2E_ARGS) tests/e2e

.PHONY: installed
installed: $(PROGRAM) ## what make install and make deb put where: pages, units, completion, package, manifests
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -m pytest -q -p no:cacheprovider $(INSTALLED_ARGS) tests/install

include tests/bench/bench.mk

# ---- long ones: not part of `make test`

.PHONY: sanitize big chaos bare
sanitize: ## check and e2e whole under both sanitizers, with a sum (ten minutes; SANS=thread: one)
	$(Q)tests/support/setup.sh test
	$(Q)tests/support/sanitize.sh $(SANS)

big: $(PROGRAM) ## full syncs of gigabytes under TLS with a running stream (BIG=3)
	$(Q)BIG=$(or $(BIG),3) $(MAKE) --no-print-directory e2e E2E_ARGS='-k full_sync_of_gigabytes' E2E_JOBS=0

bare: ## the quick start, make demo, make test and make for arm64 on a bare Debian 12 (root only; half an hour)
	$(Q)tests/install/bare.sh

chaos: $(PROGRAM) ## kill -9, damaged files, failovers, long (ROUNDS=300, CHAOS_SEED to repeat)
	$(Q)CHAOS_ROUNDS=$(or $(ROUNDS),300) $(MAKE) --no-print-directory e2e E2E_ARGS='-k chaos'
