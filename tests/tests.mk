# The test programs. A row names a program and the objects of relay/ that it is linked with: an honest
# list of what each noun leans on. Objects of tests/support/ stand in for what they are named after.

comma := ,
UNIT_TESTS :=
REPLAY_TESTS :=

# What support/fault.c stands in for: a row that is linked with it names these flags as its last word.
FAULT := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc mmap open openat fcntl mkdirat \
         posix_fallocate write pwrite ftruncate renameat linkat unlinkat fsync fdatasync msync)

# $(1) unit or replay, $(2) test, $(3) objects of relay/, $(4) objects of tests/support/, $(5) link flags
define test_program
$(B)/tests/$(1)/$(2): $(B)/tests/obj/$(1)/$(2).o $(patsubst %,$(B)/obj/%.o,$(3)) \
                      $(patsubst %,$(B)/tests/obj/support/%.o,$(4))
$(B)/tests/$(1)/$(2): TEST_LDFLAGS := $(5)
endef
unit_test   = $(eval UNIT_TESTS += $(1))$(eval $(call test_program,unit,$(1),$(2),$(3),$(4)))
replay_test = $(eval REPLAY_TESTS += $(1))$(eval $(call test_program,replay,$(1),$(2),$(3),$(4)))

include tests/unit/unit.mk
include tests/replay/replay.mk
include tests/fuzz/fuzz.mk

$(B)/tests/obj/%.o: tests/%.c $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/support -MMD -MP -c -o $@ $<

$(UNIT_TESTS:%=$(B)/tests/unit/%) $(REPLAY_TESTS:%=$(B)/tests/replay/%):
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $(TEST_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

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

e2e: $(PROGRAM) ## real servers, digests compared
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -m pytest -q -p no:cacheprovider -n $(or $(E2E_JOBS),4) $(E2E_ARGS) tests/e2e

.PHONY: installed
installed: $(PROGRAM) ## what make install and make deb put where: pages, units, completion, package, manifests
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -m pytest -q -p no:cacheprovider $(INSTALLED_ARGS) tests/install

include tests/bench/bench.mk

# ---- long ones: not part of `make test`

.PHONY: sanitize big chaos
sanitize: ## check and e2e whole under both sanitizers, with a sum (ten minutes; SANS=thread: one)
	$(Q)tests/support/setup.sh test
	$(Q)tests/support/sanitize.sh $(SANS)

big: $(PROGRAM) ## full syncs of gigabytes under TLS with a running stream (BIG=3)
	$(Q)BIG=$(or $(BIG),3) $(MAKE) --no-print-directory e2e E2E_ARGS='-k full_sync_of_gigabytes' E2E_JOBS=0

chaos: $(PROGRAM) ## kill -9, damaged files, fail-overs, long (ROUNDS=300, CHAOS_SEED to repeat)
	$(Q)CHAOS_ROUNDS=$(or $(ROUNDS),300) $(MAKE) --no-print-directory e2e E2E_ARGS='-k chaos'
