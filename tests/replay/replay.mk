# What stands in for parts of the relay in replay tests: as in unit.mk.

# The whole upstream component over the real store.
on_stage := fake_clock fake_conn fake_loop link_stage temp_store
$(call stand_ins,replay,$(filter link/%,$(REPLAY_TESTS)),$(on_stage))

# The downstream component's nouns, each over a fake store.
$(call stand_ins,replay,replica/test_client replica/test_stranger replica/test_turns,fake_clock fake_conn fake_loop)
$(call stand_ins,replay,replica/test_cold replica/test_loading replica/test_replica,fake_clock fake_conn fake_loop \
    fake_readahead fake_store replica_stage)
$(call stand_ins,replay,replica/test_waiting,fake_clock fake_conn fake_loop fake_readahead fake_store)

# The watcher of Sentinels.
$(call stand_ins,replay,sentinel/test_sentinel,fake_clock fake_conn fake_loop)
