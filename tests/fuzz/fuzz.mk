# The fuzz targets: each tests/fuzz/fuzz_*.c is one. They are built by clang under SAN=fuzz: libFuzzer's coverage,
# AddressSanitizer and UBSan, in build/fuzz/.

FUZZ_TARGETS  := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
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
	$(call fuzz_it,$$((60 * $$(nproc) / $(words $(FUZZ_PROGRAMS)))))
