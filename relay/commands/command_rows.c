/* SPDX-License-Identifier: MIT */
#include "command_rows.h"

#include "handlers.h"
#include "relay/base/check.h"

/* Kinds of commands, by who may use them when. What is for nobody by name is for admins only. */
enum {
    MONITOR = COMMAND_FOR_MONITORS,
    ALL = COMMAND_FOR_REPLICAS | COMMAND_FOR_MONITORS,
    ANYONE = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_NO_AUTH |
             COMMAND_ALLOW_BUSY | ALL,
    CONNECTION = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | ALL,
    ADMIN = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE,
    LOOK = ADMIN | MONITOR,
    REPLICATION = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_MULTI | COMMAND_FOR_REPLICAS |
                  COMMAND_HANDSHAKE,
    REPLICAOF = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_STALE,
    ALWAYS = COMMAND_LOADING | COMMAND_STALE | ALL,
    QUICK = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | ALL,
    SLOWLOG = COMMAND_ADMIN | COMMAND_LOADING | COMMAND_STALE,
    PUBSUB = COMMAND_PUBSUB | COMMAND_LOADING | COMMAND_STALE,
    SUBSCRIBE = PUBSUB | COMMAND_NOSCRIPT | COMMAND_SUBSCRIBED | MONITOR,
    TRANSACTION = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST |
                  COMMAND_ALLOW_BUSY | ALL,
};

#define CONSTANT "O(1)"
#define PER_CLIENT "O(N) where N is the number of client connections"
#define PER_SUBSCRIBER                                                                             \
    "O(N+M) where N is the number of clients that listen and M the number of patterns"
#define PER_NAME "O(N) where N is the number of names"
#define PER_REPLICA "O(N) where N is the number of replicas"
#define PER_COMMAND "O(N) where N is the number of commands to look up"
#define BY_SUBCOMMAND "Depends on subcommand."

#define TABLE_OF(array)                                                                            \
    {                                                                                              \
        array, LENGTH_OF(array)                                                                    \
    }

static const struct command_row acl_rows[] = {
    {"acl|help", 2, ALWAYS, on_help, "6.0.0", "server", CONSTANT, "Describes the subcommands.", "",
     NULL},
    {"acl|list", 2, ADMIN, on_acl_list, "6.0.0", "server", "O(N) where N is the number of users",
     "Lists the users with the digests of their passwords and the commands of their roles.", "",
     NULL},
    {"acl|users", 2, ADMIN, on_acl_users, "6.0.0", "server", "O(N) where N is the number of users",
     "Lists the names of the users.", "", NULL},
    {"acl|whoami", 2, CONNECTION, on_acl_whoami, "6.0.0", "server", CONSTANT,
     "Returns the user of the connection.", "", NULL},
};
static const struct command_table acl_table = TABLE_OF(acl_rows);

static const struct command_row client_rows[] = {
    {"client|capa", -3, CONNECTION, on_client_capa, "8.0.0", "connection", CONSTANT,
     "Accepts the capabilities of the client, and uses none of them.", "capability...", NULL},
    {"client|getname", 2, CONNECTION, on_client_getname, "2.6.9", "connection", CONSTANT,
     "Returns the name of the connection.", "", NULL},
    {"client|getredir", 2, CONNECTION, on_client_getredir, "6.0.0", "connection", CONSTANT,
     "Returns -1: a relay does not track keys.", "", NULL},
    {"client|help", 2, ALWAYS, on_help, "5.0.0", "connection", CONSTANT,
     "Describes the subcommands.", "", NULL},
    {"client|id", 2, CONNECTION, on_client_id, "5.0.0", "connection", CONSTANT,
     "Returns the unique id of the connection.", "", NULL},
    {"client|info", 2, CONNECTION, on_client_info, "6.2.0", "connection", CONSTANT,
     "Returns the line of CLIENT LIST for this connection.", "", NULL},
    {"client|kill", -3, ADMIN, on_client_kill, "2.4.0", "connection", PER_CLIENT,
     "Closes the connection with this address, or all connections that match.",
     "<ip:port | <ID client-id | TYPE <NORMAL | MASTER | REPLICA | PUBSUB> | USER username | "
     "ADDR ip:port | LADDR ip:port | SKIPME <YES | NO> | MAXAGE seconds>...>",
     NULL},
    {"client|list", -2, LOOK, on_client_list, "2.4.0", "connection", PER_CLIENT,
     "Lists the connections, those of replicas included.",
     "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id...]", NULL},
    {"client|no-evict", 3, ADMIN, on_client_no_evict, "7.0.0", "connection", CONSTANT,
     "Does nothing: a relay evicts no client.", "<ON | OFF>", NULL},
    {"client|no-touch", 3, CONNECTION, on_client_no_touch, "7.2.0", "connection", CONSTANT,
     "Does nothing: a relay holds no keys.", "<ON | OFF>", NULL},
    {"client|reply", 3, CONNECTION | COMMAND_NO_MULTI, on_client_reply, "3.2.0", "connection",
     CONSTANT, "Switches the replies to the connection on or off, or skips the next one.",
     "<ON | OFF | SKIP>", NULL},
    {"client|setinfo", 4, CONNECTION, on_client_setinfo, "7.2.0", "connection", CONSTANT,
     "Sets the name or the version of the library that the client uses.",
     "<LIB-NAME libname | LIB-VER libver>", NULL},
    {"client|setname", 3, CONNECTION, on_client_setname, "2.6.9", "connection", CONSTANT,
     "Sets the name of the connection.", "connection-name", NULL},
    {"client|unblock", -3, ADMIN, on_client_unblock, "5.0.0", "connection", PER_CLIENT,
     "Unblocks another connection from WAIT, as at its timeout or with an error.",
     "client-id [TIMEOUT | ERROR]", NULL},
};
static const struct command_table client_table = TABLE_OF(client_rows);

static const struct command_row command_command_rows[] = {
    {"command|count", 2, ALWAYS, on_command_count, "2.8.13", "server", CONSTANT,
     "Returns how many commands there are.", "", NULL},
    {"command|docs", -2, ALWAYS, on_command_docs, "7.0.0", "server", PER_COMMAND,
     "Returns the documentation of all commands, or of those given.", "[command-name...]", NULL},
    {"command|getkeys", -3, ALWAYS, on_command_getkeys, "2.8.13", "server", CONSTANT,
     "Returns an error: no command of a relay takes a key.", "command [argument...]", NULL},
    {"command|getkeysandflags", -3, ALWAYS, on_command_getkeys, "7.0.0", "server", CONSTANT,
     "Returns an error: no command of a relay takes a key.", "command [argument...]", NULL},
    {"command|help", 2, ALWAYS, on_help, "5.0.0", "server", CONSTANT, "Describes the subcommands.",
     "", NULL},
    {"command|info", -2, ALWAYS, on_command_info, "2.8.13", "server", PER_COMMAND,
     "Returns details of all commands, or of those given.", "[command-name...]", NULL},
    {"command|list", -2, ALWAYS, on_command_list, "7.0.0", "server", PER_COMMAND,
     "Returns the names of commands.",
     "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]", NULL},
};
static const struct command_table command_subcommands = TABLE_OF(command_command_rows);

static const struct command_row config_rows[] = {
    {"config|get", -3, LOOK, on_config_get, "2.0.0", "server",
     "O(N) where N is the number of settings", "Returns settings with their values.",
     "parameter...", NULL},
    {"config|help", 2, ALWAYS, on_help, "5.0.0", "server", CONSTANT, "Describes the subcommands.",
     "", NULL},
    {"config|resetstat", 2, ADMIN, on_config_resetstat, "2.0.0", "server", CONSTANT,
     "Resets the counters of INFO.", "", NULL},
    {"config|rewrite", 2, ADMIN, on_config_rewrite, "2.8.0", "server", CONSTANT,
     "Writes the settings that CONFIG SET has changed to the ini file, and leaves the rest of it "
     "unchanged.",
     "", NULL},
    {"config|set", -4, ADMIN, on_config_set, "2.0.0", "server",
     "O(N) where N is the number of settings",
     "Changes settings while the relay runs: all of those given, or none.", "<parameter value>...",
     NULL},
};
static const struct command_table config_table = TABLE_OF(config_rows);

static const struct command_row latency_rows[] = {
    {"latency|doctor", 2, LOOK, on_latency_doctor, "2.8.13", "server", CONSTANT,
     "Says that a relay records no latency events.", "", NULL},
    {"latency|help", 2, ALWAYS, on_help, "2.8.13", "server", CONSTANT, "Describes the subcommands.",
     "", NULL},
    {"latency|histogram", -2, LOOK, on_latency_histogram, "7.0.0", "server", CONSTANT,
     "Returns how long the calls of commands took, as histograms in microseconds.", "[command...]",
     NULL},
    {"latency|history", 3, LOOK, on_empty_list, "2.8.13", "server", CONSTANT,
     "Returns an empty list.", "event", NULL},
    {"latency|latest", 2, LOOK, on_empty_list, "2.8.13", "server", CONSTANT,
     "Returns an empty list.", "", NULL},
    {"latency|reset", -2, ADMIN, on_latency_reset, "2.8.13", "server", CONSTANT,
     "Returns 0: there is nothing to reset.", "[event...]", NULL},
};
static const struct command_table latency_table = TABLE_OF(latency_rows);

static const struct command_row memory_rows[] = {
    {"memory|doctor", 2, MONITOR, on_memory_doctor, "4.0.0", "server", CONSTANT,
     "Says which fields of INFO show the memory of a relay.", "", NULL},
    {"memory|help", 2, ALWAYS, on_help, "4.0.0", "server", CONSTANT, "Describes the subcommands.",
     "", NULL},
    {"memory|malloc-stats", 2, MONITOR, on_memory_malloc_stats, "4.0.0", "server", CONSTANT,
     "Returns the statistics of the memory allocator.", "", NULL},
    {"memory|purge", 2, 0, on_memory_purge, "4.0.0", "server",
     "Depends on how much memory is allocated", "Gives unused memory back to the system.", "",
     NULL},
    {"memory|stats", 2, MONITOR, on_memory_stats, "4.0.0", "server", CONSTANT,
     "Returns how much memory is used.", "", NULL},
    {"memory|usage", -3, COMMAND_READONLY | MONITOR, on_memory_usage, "4.0.0", "server", CONSTANT,
     "Returns null: a relay holds no keys.", "key [SAMPLES count]", NULL},
};
static const struct command_table memory_table = TABLE_OF(memory_rows);

static const struct command_row module_rows[] = {
    {"module|help", 2, ALWAYS, on_help, "5.0.0", "server", CONSTANT, "Describes the subcommands.",
     "", NULL},
    {"module|list", 2, COMMAND_ADMIN | COMMAND_NOSCRIPT | MONITOR, on_empty_list, "4.0.0", "server",
     CONSTANT, "Returns an empty list: a relay loads no modules.", "", NULL},
};
static const struct command_table module_table = TABLE_OF(module_rows);

static const struct command_row pubsub_rows[] = {
    {"pubsub|channels", -2, PUBSUB | MONITOR, on_pubsub_channels, "2.8.0", "pubsub",
     "O(N) where N is the number of channels", "Returns the channels that have subscribers.",
     "[pattern]", NULL},
    {"pubsub|help", 2, ALWAYS, on_help, "6.2.0", "pubsub", CONSTANT, "Describes the subcommands.",
     "", NULL},
    {"pubsub|numpat", 2, PUBSUB | MONITOR, on_pubsub_numpat, "2.8.0", "pubsub", CONSTANT,
     "Returns the number of patterns that have subscribers.", "", NULL},
    {"pubsub|numsub", -2, PUBSUB | MONITOR, on_pubsub_numsub, "2.8.0", "pubsub", PER_NAME,
     "Returns the number of subscribers of each channel.", "[channel...]", NULL},
};
static const struct command_table pubsub_table = TABLE_OF(pubsub_rows);

static const struct command_row relay_rows[] = {
    {"relay|accept", -2, ADMIN, on_relay_accept, "0.1.0", "server", CONSTANT,
     "Accepts another history at once instead of after failover-grace: that of the given server, "
     "or of the only server that has another one.",
     "[host port]", NULL},
    {"relay|away", 2, LOOK, on_relay_away, "0.1.0", "server", PER_REPLICA,
     "Returns a map for each replica that is disconnected and that `ack = all` still waits for.",
     "", NULL},
    {"relay|drop", 3, ADMIN, on_relay_drop, "0.1.0", "server", PER_REPLICA,
     "Closes the connection of a replica. The replica may reconnect.", "replica-id", NULL},
    {"relay|forget", 3, ADMIN, on_relay_forget, "0.1.0", "server", PER_REPLICA,
     "Forgets replicas that were removed for good, so that `ack = all` no longer waits for them; a "
     "replica that is connected is forgotten when it disconnects. Returns their number.",
     "<replica-id | ip | ip:port | ALL>", NULL},
    {"relay|help", 2, ALWAYS, on_help, "0.1.0", "server", CONSTANT, "Describes the subcommands.",
     "", NULL},
    {"relay|pause", 3, ADMIN, on_relay_pause, "0.1.0", "server", PER_REPLICA,
     "Stops a replica that runs behind where it is, until RELAY RESUME, over restarts as well.",
     "replica-id", NULL},
    {"relay|paused", 2, LOOK, on_relay_paused, "0.1.0", "server", PER_REPLICA,
     "Returns a map for each replica that RELAY PAUSE or RELAY RESUME ... TO has stopped, or will.",
     "", NULL},
    {"relay|replicas", 2, LOOK, on_relay_replicas, "0.1.0", "server", PER_REPLICA,
     "Returns a map for each replica: id, address, version, state, offset, lag.", "", NULL},
    {"relay|resume", -3, ADMIN, on_relay_resume, "0.1.0", "server", PER_REPLICA,
     "Lets a replica that was paused go on; with TO at once, up to that offset or time, where it "
     "stops.",
     "<replica-id | ip:port> [TO <offset | time>]", NULL},
    {"relay|snapshot", 2, ADMIN, on_relay_snapshot, "0.1.0", "server", CONSTANT,
     "Starts to fetch a newer snapshot, for which the primary forks. INFO relay shows the outcome.",
     "", NULL},
    {"relay|store", 2, LOOK, on_relay_store, "0.1.0", "server", CONSTANT,
     "Returns a map of what the store holds: window, segments, snapshots, fsync, free disk space.",
     "", NULL},
};
static const struct command_table relay_table = TABLE_OF(relay_rows);

static const struct command_row slowlog_rows[] = {
    {"slowlog|get", -2, SLOWLOG | MONITOR, on_slowlog_get, "2.2.12", "server", CONSTANT,
     "Returns an empty list: a relay keeps no slow log.", "[count]", NULL},
    {"slowlog|help", 2, ALWAYS, on_help, "6.2.0", "server", CONSTANT, "Describes the subcommands.",
     "", NULL},
    {"slowlog|len", 2, SLOWLOG | MONITOR, on_slowlog_len, "2.2.12", "server", CONSTANT,
     "Returns 0.", "", NULL},
    {"slowlog|reset", 2, SLOWLOG, on_slowlog_reset, "2.2.12", "server", CONSTANT,
     "Does nothing: a relay keeps no slow log.", "", NULL},
};
static const struct command_table slowlog_table = TABLE_OF(slowlog_rows);

static const struct command_row rows[] = {
    {"acl", -2, 0, NULL, "6.0.0", "server", BY_SUBCOMMAND, "A container for commands about users.",
     "", &acl_table},
    {"auth", -2, ANYONE, on_auth, "1.0.0", "connection", CONSTANT, "Authenticates the connection.",
     "[username] password", NULL},
    {"client", -2, 0, NULL, "2.4.0", "connection", BY_SUBCOMMAND,
     "A container for commands about connections.", "", &client_table},
    {"command", -1, ALWAYS, on_command_all, "2.8.13", "server",
     "O(N) where N is the number of commands", "Returns details of all commands.", "",
     &command_subcommands},
    {"config", -2, 0, NULL, "2.0.0", "server", BY_SUBCOMMAND,
     "A container for commands about settings.", "", &config_table},
    {"dbsize", 1, COMMAND_READONLY | COMMAND_FAST | MONITOR, on_dbsize, "1.0.0", "server", CONSTANT,
     "Returns 0: a relay holds no keys.", "", NULL},
    {"discard", 1, TRANSACTION | COMMAND_IMMEDIATE, on_discard, "2.0.0", "transactions",
     "O(N) where N is the number of queued commands", "Discards the commands queued since MULTI.",
     "", NULL},
    {"echo", 2, QUICK, on_echo, "1.0.0", "connection", CONSTANT, "Returns the message.", "message",
     NULL},
    {"exec", 1, CONNECTION | COMMAND_IMMEDIATE, on_exec, "1.2.0", "transactions",
     "Depends on the queued commands", "Runs the commands queued since MULTI.", "", NULL},
    {"failover", -1, REPLICAOF, on_failover, "6.2.0", "server", CONSTANT,
     "Returns an error: a relay is not a primary.", "[argument...]", NULL},
    {"hello", -1, ANYONE, on_hello, "6.0.0", "connection", CONSTANT,
     "Sets the protocol version; may log in and name the connection.",
     "[protover [AUTH username password] [SETNAME clientname]]", NULL},
    {"info", -1, ALWAYS | COMMAND_DANGEROUS, on_info, "1.0.0", "server", CONSTANT,
     "Returns the state of the relay, in sections.", "[section...]", NULL},
    {"lastsave", 1, COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST | COMMAND_DANGEROUS | MONITOR,
     on_lastsave, "1.0.0", "server", CONSTANT,
     "Returns the time at which the snapshot that is served became complete.", "", NULL},
    {"latency", -2, 0, NULL, "2.8.13", "server", BY_SUBCOMMAND,
     "A container for commands about latency.", "", &latency_table},
    {"memory", -2, 0, NULL, "4.0.0", "server", BY_SUBCOMMAND,
     "A container for commands about memory.", "", &memory_table},
    {"module", -2, 0, NULL, "4.0.0", "server", BY_SUBCOMMAND,
     "A container for commands about modules.", "", &module_table},
    {"multi", 1, TRANSACTION | COMMAND_IMMEDIATE, on_multi, "1.2.0", "transactions", CONSTANT,
     "Starts a transaction: commands are queued until EXEC, at most 256 with 256 KiB in all.", "",
     NULL},
    {"ping", -1, COMMAND_FAST | COMMAND_SUBSCRIBED | ALL, on_ping, "1.0.0", "connection", CONSTANT,
     "Returns PONG, or the message.", "[message]", NULL},
    {"psubscribe", -2, SUBSCRIBE, on_psubscribe, "2.0.0", "pubsub", PER_NAME,
     "Subscribes to the channels that match patterns: at most 256 patterns, of at most 512 bytes "
     "each.",
     "pattern...", NULL},
    {"psync", -3, REPLICATION, on_psync, "2.8.0", "server", CONSTANT,
     "Starts replication to this connection: continues at the offset where that is possible, and "
     "sends an RDB otherwise.",
     "replicationid offset", NULL},
    {"publish", 3, PUBSUB | COMMAND_FAST, on_publish, "2.0.0", "pubsub", PER_SUBSCRIBER,
     "Sends a message to the subscribers at this relay, and returns their number.",
     "channel message", NULL},
    {"pubsub", -2, 0, NULL, "2.8.0", "pubsub", BY_SUBCOMMAND,
     "A container for commands about channels.", "", &pubsub_table},
    {"punsubscribe", -1, SUBSCRIBE, on_punsubscribe, "2.0.0", "pubsub", PER_NAME,
     "Unsubscribes from the patterns given, or from all.", "[pattern...]", NULL},
    {"quit", -1, ANYONE | COMMAND_IMMEDIATE | COMMAND_SUBSCRIBED, on_quit, "1.0.0", "connection",
     CONSTANT, "Closes the connection.", "", NULL},
    {"relay", -2, 0, NULL, "0.1.0", "server", BY_SUBCOMMAND,
     "A container for commands that only a relay has.", "", &relay_table},
    {"replconf", -1, ADMIN | COMMAND_ALLOW_BUSY | COMMAND_FOR_REPLICAS | COMMAND_HANDSHAKE,
     on_replconf, "3.0.0", "server", CONSTANT,
     "Sent by replicas: their port, version and capabilities.", "[<option value>...]", NULL},
    {"replicaof", 3, REPLICAOF, on_replicaof, "5.0.0", "server", CONSTANT,
     "Makes the relay follow another primary.", "host port", NULL},
    {"reset", 1, ANYONE | COMMAND_IMMEDIATE | COMMAND_SUBSCRIBED, on_reset, "6.2.0", "connection",
     CONSTANT, "Resets the connection to its initial state.", "", NULL},
    {"role", 1, LOOK | COMMAND_FAST, on_role, "2.8.12", "server", CONSTANT,
     "Returns the role in replication: a replica, with its primary and its state.", "", NULL},
    {"select", 2, QUICK, on_select, "1.0.0", "connection", CONSTANT,
     "Accepts the index of a database; all databases are empty.", "index", NULL},
    {"shutdown", -1, ADMIN | COMMAND_NO_MULTI | COMMAND_ALLOW_BUSY, on_shutdown, "1.0.0", "server",
     CONSTANT, "Stops the relay. What it holds stays on disk.",
     "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]", NULL},
    {"slaveof", 3, REPLICAOF, on_replicaof, "1.0.0", "server", CONSTANT,
     "Makes the relay follow another primary.", "host port", NULL},
    {"slowlog", -2, 0, NULL, "2.2.12", "server", BY_SUBCOMMAND,
     "A container for commands about slow commands.", "", &slowlog_table},
    {"subscribe", -2, SUBSCRIBE, on_subscribe, "2.0.0", "pubsub", PER_NAME,
     "Subscribes to channels: at most 256, with names of at most 512 bytes.", "channel...", NULL},
    {"sync", 1, REPLICATION, on_sync, "1.0.0", "server", CONSTANT,
     "Starts replication to this connection, without offsets.", "", NULL},
    {"time", 1, QUICK, on_time, "2.6.0", "server", CONSTANT,
     "Returns the time of day: seconds and microseconds.", "", NULL},
    {"unsubscribe", -1, SUBSCRIBE, on_unsubscribe, "2.0.0", "pubsub", PER_NAME,
     "Unsubscribes from the channels given, or from all.", "[channel...]", NULL},
    {"unwatch", 1, TRANSACTION, on_unwatch, "2.2.0", "transactions", CONSTANT,
     "Does nothing: a relay holds no keys.", "", NULL},
    {"wait", 3, COMMAND_BLOCKING | MONITOR, on_wait, "3.0.0", "generic", PER_REPLICA,
     "Blocks until this many replicas of the relay have acknowledged what it had published when it "
     "was asked, and returns their number. Replicas acknowledge once a second.",
     "numreplicas timeout", NULL},
    {"waitaof", 4, COMMAND_BLOCKING | MONITOR, on_waitaof, "7.2.0", "generic", CONSTANT,
     "Returns an error: a relay has no append-only file.", "numlocal numreplicas timeout", NULL},
    {"watch", -2, TRANSACTION | COMMAND_IMMEDIATE, on_watch, "2.2.0", "transactions", PER_NAME,
     "Does nothing: a relay holds no keys that could change.", "key...", NULL},
};
const struct command_table command_rows = TABLE_OF(rows);
