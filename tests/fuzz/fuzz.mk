# The fuzz targets: as in unit.mk, a row names a target and what it is linked with. They are built by
# clang under SAN=fuzz: libFuzzer's coverage, AddressSanitizer and UBSan, in build/fuzz/.

FUZZ_TARGETS :=

# $(1) target, $(2) objects of relay/, $(3) objects of tests/support/
define fuzz_program
$(B)/fuzz_$(1): $(B)/tests/obj/fuzz/fuzz_$(1).o $(patsubst %,$(B)/obj/%.o,$(2)) \
                $(patsubst %,$(B)/tests/obj/support/%.o,$(3))
endef
fuzz_target = $(eval FUZZ_TARGETS += $(1))$(eval $(call fuzz_program,$(1),$(2),$(3)))

$(call fuzz_target,reader,base/bytes base/check base/text resp/reader)
$(call fuzz_target,tokenizer,base/bytes base/check resp/tokenizer)
$(call fuzz_target,payload,base/bytes base/check base/text resp/payload)
$(call fuzz_target,identity,base/bytes base/check base/crc64 base/replid base/text store/identity)

$(call fuzz_target,greeting,base/bytes base/check base/replid base/text resp/psync resp/writer upstream/greeting upstream/origin_info)
$(call fuzz_target,link,$(link),$(on_stage))
$(call fuzz_target,replica,$(FED) downstream/client downstream/outbox downstream/slowdown downstream/waiting,fake_clock fake_conn fake_loop fake_store)
$(call fuzz_target,memo,$(STORE) config/value config/value_upstream memo upstream/ack)
$(call fuzz_target,ini,$(CONFIG))
$(call fuzz_target,tail,base/bytes base/check base/clock base/crc64 base/log base/log_line base/text store/files store/tail)
$(call fuzz_target,store,$(STORE))
$(call fuzz_target,forged_store,$(STORE))

$(call fuzz_target,commands,$(ADMIN),fake_clock fake_loop fake_rooms)
$(call fuzz_target,reply,base/bytes base/check base/text resp/reply upstream/sighting)
$(call fuzz_target,sentinel,base/bytes base/check base/log base/log_line base/random base/text resp/reply resp/writer upstream/backoff upstream/sentinel upstream/sighting,fake_clock fake_conn fake_loop)
$(call fuzz_target,origin_info,base/bytes base/check base/replid upstream/origin_info)

FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(B)/fuzz_%)

$(FUZZ_PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ -lcmocka $(LIBS)

-include $(FUZZ_TARGETS:%=$(B)/tests/obj/fuzz/fuzz_%.d)

# T: seconds that each target runs. FUZZ: those that are meant, all without it.
.PHONY: fuzz fuzz-quick fuzz-programs fuzz-run
fuzz-programs: $(FUZZ_PROGRAMS)

fuzz-run: $(or $(FUZZ:%=$(B)/fuzz_%),$(FUZZ_PROGRAMS))
	$(Q)tests/fuzz/run.sh $(or $(T),60) $^

# $(1): seconds
define fuzz_it
	$(Q)+$(MAKE) --no-print-directory CC=clang SAN=fuzz -j$$(nproc) fuzz-programs
	$(Q)+$(MAKE) --no-print-directory CC=clang SAN=fuzz T=$(1) fuzz-run
endef

fuzz: setup-fuzz ## input that nobody foresaw: each target for T seconds (T=60, FUZZ='reader ini')
	$(call fuzz_it,$(or $(T),60))

fuzz-quick: setup-fuzz ## all targets in about a minute, for .ci/run
	$(call fuzz_it,8)
