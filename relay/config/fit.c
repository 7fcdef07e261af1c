/* SPDX-License-Identifier: MIT */
#include "fit.h"

#include "relay/config/descriptors.h"
#include "relay/config/options.h"

enum {
    MAPPINGS_MAX = 65530 - 1530, /* vm.max_map_count as Linux has it, but for what else is mapped */
};

static void look_at_sizes(const struct store_options *store, fit_fn *fn, void *arg)
{
    if (store->window_bytes_max < store->window_bytes)
        fn(&store->window_bytes_max, "must be at least repl-backlog-size", arg);
    if (store->segment_bytes > store->window_bytes)
        fn(&store->segment_bytes, "must be at most repl-backlog-size, preferably a tenth of it",
           arg);
    if (descriptors_segments_max(store) > MAPPINGS_MAX)
        fn(&store->segment_bytes,
           "repl-backlog-max-size needs more segments than can be mapped (vm.max_map_count is "
           "65530): set a larger segment-size",
           arg);
}

void fit_look(const struct config *config, fit_fn *fn, void *arg)
{
    look_at_sizes(&config->store, fn, arg);
    /* Without an fsync nothing would ever be acknowledged. */
    if (config->upstream.ack.policy == ACK_DURABLE && config->store.fsync == STORE_FSYNC_NO)
        fn(&config->upstream.ack, "requires fsync = everysec or fsync = always", arg);
}

void fit_settle(struct config *config)
{
    bool is_open = config->users.open_role != ROLE_NONE;
    config->downstream.must_authenticate = !is_open;
    config->downstream.local_only = config->protected_mode == CONFIG_YES && is_open;
    config->upstream.snapshot_always_ready = config->snapshot == CONFIG_SNAPSHOT_ALWAYS_READY;
    config->downstream.tls_knows_callers = config->downstream_tls.auth_clients == TLS_AUTH_YES;
    config->commands.clients_max = config->downstream.clients_max;
    config->downstream.serves_old_history = config->serve_old_history == CONFIG_YES;
    config->commands.replica_announced = config->replica_announced == CONFIG_YES;
    config->upstream.rdb_channel = config->rdb_channel == CONFIG_YES;
    config->archive.data_dir = config->store.data_dir;
    config->archive.piece_bytes = config->store.segment_bytes;
    config->archive.waits_for_fsync = config->store.fsync != STORE_FSYNC_NO;
    config->commands.backlog_bytes = config->store.window_bytes;
    const struct delayed_options *delayed = &config->downstream.delayed;
    config->store.keeps_aged = delayed->port != 0 || delayed->tls_port != 0;
    config->downstream.window_bytes = config->store.window_bytes;
}
