# The whole upstream room over the real store.
link := $(addprefix upstream/,ack acker backoff candidates delivery dialog fetch greeting intake link link_greeting \
          link_stream origin_info renewal) \
        $(filter-out store/status,$(STORE_ROOM)) \
        $(addprefix resp/,payload psync tokenizer writer) \
        $(addprefix base/,bytes check crc64 log log_line random replid report text)
on_stage := fake_clock fake_conn fake_loop link_stage temp_store

$(call replay_test,link/test_acknowledge,$(link),$(on_stage))
$(call replay_test,link/test_candidates,$(link),$(on_stage))
$(call replay_test,link/test_dialogues,$(link),$(on_stage))
$(call replay_test,link/test_failover,$(link),$(on_stage))
$(call replay_test,link/test_refresh,$(link),$(on_stage))
$(call replay_test,link/test_sync,$(link),$(on_stage))
$(call replay_test,link/test_tls,$(link),$(on_stage))
$(call replay_test,link/test_trouble,$(link),$(on_stage))

# The downstream room's nouns, each over a fake store.
FED := base/bytes base/check base/crc64 base/log base/log_line base/random base/replid base/text downstream/attach downstream/feed downstream/reasons downstream/replconf downstream/replica resp/payload resp/psync resp/reader resp/writer store/identity
$(call replay_test,replica/test_client,base/bytes base/check base/log base/log_line base/replid base/text downstream/client downstream/outbox downstream/reasons downstream/replconf resp/psync resp/reader resp/writer,fake_clock fake_conn fake_loop)
$(call replay_test,replica/test_loading,$(FED),fake_clock fake_conn fake_loop fake_store replica_stage)
$(call replay_test,replica/test_replica,$(FED),fake_clock fake_conn fake_loop fake_store replica_stage)
$(call replay_test,replica/test_stranger,base/bytes base/check base/log base/log_line base/replid base/text downstream/client downstream/outbox downstream/reasons downstream/replconf resp/psync resp/reader resp/writer,fake_clock fake_conn fake_loop)
$(call replay_test,replica/test_waiting,$(FED) downstream/slowdown downstream/waiting,fake_clock fake_conn fake_loop fake_store)

# The watcher of Sentinels.
$(call replay_test,sentinel/test_sentinel,base/bytes base/check base/log base/log_line base/random base/text resp/reply resp/writer upstream/backoff upstream/sentinel upstream/sighting,fake_clock fake_conn fake_loop)
