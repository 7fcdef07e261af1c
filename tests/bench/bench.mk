# The benches: figures, not tests. Their programs stand in for primaries and replicas, or are the floor that
# what we do is compared with.

BENCH_PROGRAMS := primary swarm fanout filesend

BENCH_SHARED := $(patsubst %,$(B)/obj/%.o,base/check base/crc64 base/bytes resp/reader)

$(BENCH_PROGRAMS:%=$(B)/tests/bench/%): $(B)/tests/bench/%: $(B)/tests/obj/bench/%.o \
                                        $(B)/tests/obj/bench/tool.o $(BENCH_SHARED)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/tests/bench/swarm: $(B)/tests/obj/bench/wire.o

$(B)/tests/bench/long_link: $(B)/tests/obj/support/long_link.o
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpthread

BENCH_STORE_OBJECTS := $(patsubst %,$(B)/obj/%.o,$(basename $(patsubst relay/%,%,\
                       $(wildcard relay/store/*.c relay/os/*.c relay/base/*.c))))

$(B)/tests/bench/bench_store: $(B)/tests/obj/bench/bench_store.o $(BENCH_STORE_OBJECTS)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpthread

-include $(wildcard $(B)/tests/obj/bench/*.d)

.PHONY: bench bench-carriers blocking bench-compression bench-instructions bench-programs bench-quick bench-restore bench-store bench-tls bench-two-channel bench-wait bench-wan

bench-programs: $(PROGRAM) $(BENCH_PROGRAMS:%=$(B)/tests/bench/%)

bench-store: $(B)/tests/bench/bench_store ## CRC-64, append, start on a large window (SIZE_GB=10, DIR=build/bench)
	$(Q)mkdir -p $(or $(DIR),$(B)/bench)
	$(Q)$< $(or $(DIR),$(B)/bench) $(or $(SIZE_GB),10)

blocking: $(PROGRAM) ## which calls a disk may keep waiting, and on which thread (BLOCKING_ARGS=--all)
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/blocking.py $(BLOCKING_ARGS)

bench-instructions: bench-programs ## what the relay does with each KB of the stream, counted by callgrind
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY_SLOW=20 PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench_instructions.py

bench-two-channel: $(PROGRAM) ## what a full sync makes the primary keep, over one connection and over two (TWO_CHANNEL_ARGS=--whole)
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench_two_channel.py $(TWO_CHANNEL_ARGS)

bench-wait: $(PROGRAM) ## what a confirmed write costs: direct, chained, through the relay (WRITES=1000)
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench_wait.py --writes $(or $(WRITES),1000)

bench-wan: $(PROGRAM) $(B)/tests/bench/long_link ## an ocean in a box: ten far replicas, direct, chained, behind relays (WAN_ARGS=--quick)
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY_SLOW=$${PSYNC_RELAY_SLOW:-4} PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench_wan.py $(WAN_ARGS)

bench-restore: $(PROGRAM) ## a restore beside cp of the same files (MEGABYTES=200, DIR=build/bench)
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench_restore.py --megabytes $(or $(MEGABYTES),200) \
	    --folder $(or $(DIR),$(B)/bench)

bench-compression: $(PROGRAM) ## ratio, CPU beside lz4 and zstd themselves, 1 and 50 replicas, a trickle (MEGABYTES=64)
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench_compression.py --megabytes $(or $(MEGABYTES),64)

bench-carriers: $(PROGRAM) ## what a WebSocket costs beside TCP and TLS (MEGABYTES=1000, ROUNDS=3)
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY_SLOW=$${PSYNC_RELAY_SLOW:-4} PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench_carriers.py \
	    --megabytes $(or $(MEGABYTES),1000) --rounds $(or $(ROUNDS),3)

bench-tls: $(PROGRAM) ## what TLS handshakes cost, and what a stream notices of a flood of them (SECONDS=8)
	$(Q)tests/support/setup.sh bench
	$(Q)PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench_tls.py --seconds $(or $(SECONDS),8)

# Servers with a GB in them take their time to start, the more so on a busy machine.
BENCH := PSYNC_RELAY_SLOW=$${PSYNC_RELAY_SLOW:-4} PSYNC_RELAY=$(PROGRAM) /usr/bin/python3 -B tests/bench/bench.py

bench: bench-programs ## the relay beside direct, chained and the kernel's least: a table, bench.json, bench.svg
	$(Q)tests/support/setup.sh bench
	$(Q)$(BENCH) --out $(or $(OUT),$(B)/bench) $(BENCH_ARGS)

bench-quick: bench-programs ## under a minute; fails where a ratio is more than twice its aim
	$(Q)tests/support/setup.sh bench
	$(Q)$(BENCH) --quick $(BENCH_ARGS)
