# The fuzz targets: a row names a target and what stands in for parts of the relay. They are built by
# clang under SAN=fuzz: libFuzzer's coverage, AddressSanitizer and UBSan, in build/fuzz/.

FUZZ_TARGETS :=

# $(1) target, $(2) objects of tests/support/
define fuzz_program
$(B)/fuzz_$(1): $(B)/tests/obj/fuzz/fuzz_$(1).o $(2:%=$(B)/tests/obj/support/%.o) $(LIBRARY)
endef
fuzz_target = $(eval FUZZ_TARGETS += $(1))$(eval $(call fuzz_program,$(1),$(2)))

$(call fuzz_target,reader)
$(call fuzz_target,tokenizer)
$(call fuzz_target,payload)
$(call fuzz_target,identity)
$(call fuzz_target,greeting)
$(call fuzz_target,link,$(on_stage))
$(call fuzz_target,replica,fake_clock fake_conn fake_loop fake_readahead fake_store)
$(call fuzz_target,memo)
$(call fuzz_target,ini)
$(call fuzz_target,tail)
$(call fuzz_target,store)
$(call fuzz_target,forged_store)
$(call fuzz_target,commands,fake_clock fake_loop fake_rooms)
$(call fuzz_target,reply)
$(call fuzz_target,sentinel,fake_clock fake_conn fake_loop)
$(call fuzz_target,origin_info)

FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(B)/fuzz_%)

$(FUZZ_PROGRAMS):
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(LIBRARY) -lcmocka $(LIBS)

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
