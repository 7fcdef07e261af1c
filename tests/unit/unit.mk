# What stands in for parts of the relay in unit tests. Every tests/unit/**/test_*.c is a program by itself; one
# that is not named here runs over the real thing.

$(call stand_ins,unit,admin/test_clients admin/test_commands admin/test_connection admin/test_info \
    admin/test_login admin/test_multi admin/test_pubsub admin/test_relay_commands admin/test_replication \
    admin/test_server admin/test_settings admin/test_waiter,fake_clock fake_loop fake_rooms)
$(call stand_ins,unit,config/test_notify downstream/test_doorman,fake_clock)
$(call stand_ins,unit,downstream/test_branch,temp_store)
$(call stand_ins,unit,downstream/test_attach,fake_clock fake_conn fake_loop fake_readahead fake_store)
$(call stand_ins,unit,downstream/test_slow_disk,stuck_page_cache)
$(call stand_ins,unit,net/test_fake_conn upstream/test_dialog,fake_clock fake_conn fake_loop)
$(call stand_ins,unit,net/test_fake_loop,fake_clock fake_loop)
$(call stand_ins,unit,net/test_tls net/test_tls_context net/test_tls_peers,certificates)
$(call stand_ins,unit,status/test_document status/test_findings status/test_metrics,fake_clock fake_rooms)
$(call stand_ins,unit,store/test_fault store/test_full_disk store/test_kill_points store/test_slow_disk,fault,$(FAULT))
$(call stand_ins,unit,upstream/test_delivery,fake_clock temp_store)
$(call stand_ins,unit,upstream/test_intake,fake_clock fake_conn fake_loop temp_store)
