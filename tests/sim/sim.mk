# The simulation: the relay's objects, whose calls of the system are renamed (calls.sh), with a simulated system
# beneath them. tests/sim/README.md.

SIM_SOURCES := $(wildcard tests/sim/*.c)
SIM_OBJECTS := $(SIM_SOURCES:%.c=$(B)/%.o)
SIM         := $(B)/tests/sim/sim

$(B)/tests/sim/%.o: tests/sim/%.c $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Irelay -MMD -MP -c -o $@ $<

$(B)/tests/sim/relay.o: $(LIBRARY) tests/sim/calls.sh tests/sim/calls.h tests/sim/harmless.txt \
                      tests/sim/entries.txt
	$(call say,SIM,$@)
	$(Q)mkdir -p $(@D)
	$(Q)tests/sim/calls.sh $@ $<

$(SIM): $(SIM_OBJECTS) $(B)/tests/sim/relay.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

-include $(SIM_OBJECTS:.o=.d)

# Each commit has seeds of its own, which nobody has run before, and always the same ones.
SIM_NEW = 300

.PHONY: sim sim-kept sim-new sim-quick
sim: $(SIM) ## the whole relay on a simulated disk, network and clock (SEEDS=1000 FIRST=1, or SEED=n to see one)
	$(Q)$(SIM) $(if $(SEED),-s $(SEED) -w $(or $(WITHOUT),0) -t,-f $(or $(FIRST),1) -n $(or $(SEEDS),100) -j $(or $(JOBS),2))

sim-quick: $(SIM) ## kept seeds and some hundred others, in some seconds
	$(Q)$(SIM) -s 1
	$(Q)$(SIM) -k tests/sim/seeds/kept.txt -f $(or $(FIRST),1) -n $(or $(SEEDS),300) -j $(or $(JOBS),2)

sim-kept: $(SIM) ## seeds that have failed once, and that a seed gives the same run each time
	$(Q)$(SIM) -s 1
	$(Q)$(SIM) -k tests/sim/seeds/kept.txt -n 0

sim-new: $(SIM) ## seeds that no commit before this one has run
	$(Q)$(SIM) -f $$(($(or $(shell git rev-list --count HEAD 2>/dev/null),1) * $(SIM_NEW) + 1)) -n $(SIM_NEW) -j $(or $(JOBS),2) -q
