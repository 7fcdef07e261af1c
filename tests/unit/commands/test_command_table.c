/* SPDX-License-Identifier: MIT */
#include "../../../relay/commands/command_rows.h"
#include "../../../relay/commands/command_table.h"
#include "../../../relay/commands/data_commands.h"

#include "commands_test.h"

typedef void row_fn(const struct command_row *row, const struct command_row *parent);

static void each_row(row_fn *fn)
{
    const struct command_table *table = &command_rows;
    for (size_t i = 0; i < table->count; i++) {
        const struct command_row *row = &table->rows[i];
        fn(row, NULL);
        for (size_t child = 0; row->children != NULL && child < row->children->count; child++)
            fn(&row->children->rows[child], row);
    }
}

static void assert_sorted(const struct command_table *table)
{
    for (size_t i = 1; i < table->count; i++) {
        if (strcmp(table->rows[i - 1].name, table->rows[i].name) >= 0)
            fail_msg("%s stands before %s", table->rows[i - 1].name, table->rows[i].name);
    }
}

TEST(tables_are_sorted)
{
    const struct command_table *table = &command_rows;
    assert_sorted(table);
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].children != NULL)
            assert_sorted(table->rows[i].children);
    }
}

static void assert_complete(const struct command_row *row, const struct command_row *parent)
{
    char lower[64];
    char sentence_end = row->summary[strlen(row->summary) - 1];
    snprintf(lower, sizeof(lower), "%s", row->name);
    for (char *at = lower; *at != '\0'; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 32) : *at;
    assert_string_equal(row->name, lower);
    assert_int_not_equal(row->arity, 0);
    if (row->handler == NULL && (row->children == NULL || row->arity != -2))
        fail_msg("%s has nobody who does it", row->name);
    if (row->since[0] < '0' || row->since[0] > '9' || row->complexity[0] == '\0')
        fail_msg("%s: since \"%s\", complexity \"%s\"", row->name, row->since, row->complexity);
    if (row->summary[0] < 'A' || row->summary[0] > 'Z' || sentence_end != '.')
        fail_msg("%s: \"%s\" is no sentence", row->name, row->summary);
    if (parent == NULL)
        return;
    /* "container|word", of at least two words, in the container's group. */
    size_t length = strlen(parent->name);
    assert_memory_equal(row->name, parent->name, length);
    assert_int_equal(row->name[length], '|');
    assert_true(row->arity >= 2 || row->arity <= -2);
    assert_string_equal(row->group, parent->group);
    assert_null(row->children);
}

TEST(rows_are_complete)
{
    each_row(assert_complete);
}

static void assert_found(const struct command_row *row, const struct command_row *parent)
{
    assert_ptr_equal(command_find_path(&command_rows, bytes_of(row->name)), row);
    if (parent != NULL)
        assert_ptr_equal(command_find(parent->children, bytes_of(command_word(row))), row);
    if (parent == NULL && data_command_find(bytes_of(row->name)) != DATA_COMMAND_NONE)
        fail_msg("%s is in the table and refused as a data command", row->name);
}

static void check_number(const struct command_row *row, void *arg)
{
    size_t *next = arg;
    assert_int_equal(command_number(&command_rows, row), (*next)++);
}

TEST(every_row_has_a_number_of_its_own)
{
    size_t next = 0;
    command_each(&command_rows, check_number, &next);
    assert_int_equal(next, command_count(&command_rows));
    assert_true(next > command_rows.count);
}

TEST(rows_are_found_by_name)
{
    each_row(assert_found);
    assert_null(command_find_path(&command_rows, bytes_of("nonsense")));
    assert_null(command_find_path(&command_rows, bytes_of("client|nonsense")));
    assert_null(command_find_path(&command_rows, bytes_of("ping|x")));
    assert_null(command_find_path(&command_rows, bytes_of("")));
    assert_non_null(command_find_path(&command_rows, bytes_of("CLIENT|List")));
}

static bool is_for(const char *path, unsigned role)
{
    const struct command_row *row = command_find_path(&command_rows, bytes_of(path));
    assert_non_null(row);
    return (row->flags & role) != 0;
}

TEST(roles_may_do_what_they_are_for)
{
    static const char *const replication[] = {"psync", "sync", "replconf"};
    static const char *const looks[] = {"role",         "client|list", "config|get",
                                        "memory|stats", "slowlog|get", "latency|latest",
                                        "subscribe",    "wait"};
    static const char *const all[] = {"auth", "hello",       "ping",           "select", "info",
                                      "quit", "client|info", "client|setname", "multi",  "command"};
    for (size_t i = 0; i < LENGTH_OF(replication); i++)
        assert_true(is_for(replication[i], COMMAND_FOR_REPLICAS) &&
                    !is_for(replication[i], COMMAND_FOR_MONITORS));
    for (size_t i = 0; i < LENGTH_OF(looks); i++)
        assert_true(is_for(looks[i], COMMAND_FOR_MONITORS) &&
                    !is_for(looks[i], COMMAND_FOR_REPLICAS));
    for (size_t i = 0; i < LENGTH_OF(all); i++)
        assert_true(is_for(all[i], COMMAND_FOR_MONITORS) && is_for(all[i], COMMAND_FOR_REPLICAS));
}

TEST(what_changes_something_is_for_admins_only)
{
    static const char *const changes[] = {"config|set",  "config|rewrite", "config|resetstat",
                                          "client|kill", "client|unblock", "shutdown",
                                          "replicaof",   "slaveof",        "failover",
                                          "publish",     "memory|purge",   "slowlog|reset"};
    for (size_t i = 0; i < LENGTH_OF(changes); i++)
        assert_false(is_for(changes[i], COMMAND_FOR_REPLICAS | COMMAND_FOR_MONITORS));
}

/* The row's name as a user types it, with `words` words in all. */
static void type_command(const struct command_row *row, size_t words, char line[256])
{
    snprintf(line, 256, "%s", row->name);
    char *bar = strchr(line, '|');
    if (bar != NULL)
        *bar = ' ';
    size_t length = strlen(line);
    for (size_t i = bar != NULL ? 2 : 1; i < words; i++, length += 2)
        snprintf(line + length, 256 - length, " x");
}

static void assert_arity_enforced(const struct command_row *row, const struct command_row *parent)
{
    char line[256];
    char reply[256];
    size_t least = (size_t)abs(row->arity);
    snprintf(reply, sizeof(reply), "-ERR wrong number of arguments for '%s' command\r\n",
             row->name);
    if (least > (parent != NULL ? 2u : 1u)) {
        type_command(row, least - 1, line);
        expect(line, reply);
    }
    /* A word more would name a sub-command. */
    if (row->arity > 0 && row->children == NULL) {
        type_command(row, least + 1, line);
        expect(line, reply);
    }
}

COMMAND_TEST(arity_is_enforced)
{
    each_row(assert_arity_enforced);
}

/* A new caller, with nothing left of what the last one was in the midst of. */
static void renew_caller(int protocol)
{
    if (!fake_client_is_gone(caller))
        fake_client_leaves(caller);
    fake_components_reset();
    caller = fake_client(7, "192.0.2.7:50000");
    client_session(caller)->protocol = protocol;
}

/* Several names are confirmed one by one. */
static bool has_many_replies(const struct command_row *row)
{
    return strstr(row->name, "subscribe") != NULL;
}

/* Whatever a command answers to arguments that mean nothing: it is one value, in both protocols. */
static void assert_one_value(const struct command_row *row, const struct command_row *parent)
{
    (void)parent;
    char line[256];
    for (int protocol = 2; protocol <= 3; protocol++) {
        for (size_t more = 0; more < 4; more++) {
            type_command(row, (size_t)abs(row->arity) + more, line);
            renew_caller(protocol);
            struct bytes reply = say(line);
            if (fake_client_is_gone(caller) || has_many_replies(row))
                continue;
            bool is_silent = strcmp(row->name, "shutdown") == 0 && more == 0;
            if (is_silent ? reply.length != 0 : !is_one_value(reply, protocol))
                fail_msg("%s in RESP%d: \"%.*s\"", line, protocol, (int)reply.length,
                         (const char *)reply.data);
        }
    }
}

COMMAND_TEST(every_reply_is_one_value)
{
    each_row(assert_one_value);
}

COMMAND_TEST(unknown_commands_are_told_as_redis_server_does)
{
    expect("foo", "-ERR unknown command 'foo', with args beginning with: \r\n");
    expect("foo a \"b c\"", "-ERR unknown command 'foo', with args beginning with: 'a' 'b c' \r\n");
    expect("\"f\\r\\no\"", "-ERR unknown command 'f??o', with args beginning with: \r\n");
    expect("client foo", "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n");
    expect("Config FOO x", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n");
    expect("client", "-ERR wrong number of arguments for 'client' command\r\n");
    expect("client setname", "-ERR wrong number of arguments for 'client|setname' command\r\n");
}

/* What is shown of a long command is bounded, as in redis-server. */
COMMAND_TEST(unknown_commands_are_shown_in_part)
{
    char line[700];
    char letters[401];
    char expected[400];
    memset(letters, 'a', 400);
    letters[400] = '\0';
    snprintf(line, sizeof(line), "foo %s bbb", letters);
    snprintf(expected, sizeof(expected),
             "-ERR unknown command 'foo', with args beginning with: '%.128s' \r\n", letters);
    expect(line, expected);
}

COMMAND_TEST(data_commands_are_told_where_to_go)
{
    expect("get x", "-ERR this is psync-relay: it holds no data, ask the primary "
                    "origin.example:6379 or one of its replicas\r\n");
    expect("SET a b", "-READONLY this is psync-relay: it holds no data, write to the primary "
                      "origin.example:6379\r\n");
    expect("set", "-READONLY this is psync-relay: it holds no data, write to the primary "
                  "origin.example:6379\r\n");
    expect("Monitor", "-ERR this is psync-relay: it does not support 'Monitor', ask the primary "
                      "origin.example:6379 or one of its replicas\r\n");
    expect_part("debug sleep 1", "it does not support 'debug'");
    expect_part("ssubscribe x", "it does not support 'ssubscribe'");
    fake_components.link.host = "";
    fake_components.link.port = 0;
    expect("get x", "-ERR this is psync-relay: it holds no data, ask the primary or one of its "
                    "replicas\r\n");
    expect("set x y", "-READONLY this is psync-relay: it holds no data, write to the primary\r\n");
    expect("cluster info", "-ERR This instance has cluster support disabled\r\n");
    expect("readonly", "-ERR This instance has cluster support disabled\r\n");
}

TEST(data_commands_are_known_by_kind)
{
    assert_int_equal(data_command_find(bytes_of("bitcount")), DATA_COMMAND_READ);
    assert_int_equal(data_command_find(bytes_of("ZUNION")), DATA_COMMAND_READ);
    assert_int_equal(data_command_find(bytes_of("append")), DATA_COMMAND_WRITE);
    assert_int_equal(data_command_find(bytes_of("zunionstore")), DATA_COMMAND_WRITE);
    assert_int_equal(data_command_find(bytes_of("monitor")), DATA_COMMAND_OTHER);
    assert_int_equal(data_command_find(bytes_of("readwrite")), DATA_COMMAND_CLUSTER);
    assert_int_equal(data_command_find(bytes_of("ge")), DATA_COMMAND_NONE);
    assert_int_equal(data_command_find(bytes_of("get set")), DATA_COMMAND_NONE);
    assert_int_equal(data_command_find(bytes_of("")), DATA_COMMAND_NONE);
}

COMMAND_TEST(command_info_has_ten_fields)
{
    expect(
        "command info echo nonsense CLIENT|Id",
        "*3\r\n*10\r\n$4\r\necho\r\n:2\r\n*3\r\n+loading\r\n+stale\r\n+fast\r\n:0\r\n:0\r\n:0\r\n"
        "*2\r\n+@fast\r\n+@connection\r\n*0\r\n*0\r\n*0\r\n"
        "$-1\r\n"
        "*10\r\n$9\r\nclient|id\r\n:2\r\n*3\r\n+noscript\r\n+loading\r\n+stale\r\n"
        ":0\r\n:0\r\n:0\r\n*2\r\n+@slow\r\n+@connection\r\n*0\r\n*0\r\n*0\r\n");
    client_session(caller)->protocol = 3;
    expect("command info role nonsense",
           "*2\r\n*10\r\n$4\r\nrole\r\n:1\r\n~5\r\n+admin\r\n+noscript\r\n+loading\r\n+stale\r\n"
           "+fast\r\n:0\r\n:0\r\n:0\r\n~3\r\n+@admin\r\n+@fast\r\n+@dangerous\r\n~0\r\n~0\r\n~0\r\n"
           "_\r\n");
    expect_part("command info module", "*2\r\n*10\r\n$11\r\nmodule|help\r\n");
}

/* As redis-server 7.0 tells of them. */
COMMAND_TEST(commands_of_messages_and_transactions_have_their_categories)
{
    expect("command info subscribe publish",
           "*2\r\n*10\r\n$9\r\nsubscribe\r\n:-2\r\n*4\r\n+pubsub\r\n+noscript\r\n"
           "+loading\r\n+stale\r\n:0\r\n:0\r\n:0\r\n*2\r\n+@pubsub\r\n+@slow\r\n*0\r\n*0\r\n"
           "*0\r\n*10\r\n$7\r\npublish\r\n:3\r\n*4\r\n+pubsub\r\n+loading\r\n+stale\r\n+fast\r\n"
           ":0\r\n:0\r\n:0\r\n*2\r\n+@pubsub\r\n+@fast\r\n*0\r\n*0\r\n*0\r\n");
    expect("command info multi",
           "*1\r\n*10\r\n$5\r\nmulti\r\n:1\r\n*5\r\n+noscript\r\n+loading\r\n+stale\r\n+fast\r\n"
           "+allow_busy\r\n:0\r\n:0\r\n:0\r\n*2\r\n+@fast\r\n+@transaction\r\n*0\r\n*0\r\n*0\r\n");
}

COMMAND_TEST(command_docs_are_maps)
{
    static const char body[] = "$7\r\nsummary\r\n$20\r\nReturns the message.\r\n$5\r\nsince\r\n"
                               "$5\r\n1.0.0\r\n$5\r\ngroup\r\n$10\r\nconnection\r\n"
                               "$10\r\ncomplexity\r\n$4\r\nO(1)\r\n$9\r\narguments\r\n*1\r\n";
    static const char name[] = "$4\r\nname\r\n$7\r\nmessage\r\n$4\r\ntype\r\n$6\r\nstring\r\n"
                               "$12\r\ndisplay_text\r\n$7\r\nmessage\r\n";
    char expected[1024];
    snprintf(expected, sizeof(expected), "*2\r\n$4\r\necho\r\n*10\r\n%s*6\r\n%s", body, name);
    expect("command docs echo nonsense", expected);
    client_session(caller)->protocol = 3;
    snprintf(expected, sizeof(expected), "%%1\r\n$4\r\necho\r\n%%5\r\n%s%%3\r\n%s", body, name);
    expect("command docs ECHO", expected);
    expect("command docs nonsense", "%0\r\n");
    expect_part("command docs module", "$11\r\nsubcommands\r\n%2\r\n$11\r\nmodule|help\r\n%4\r\n");
}

COMMAND_TEST(command_tells_all)
{
    char count[32];
    snprintf(count, sizeof(count), ":%zu\r\n", command_rows.count);
    expect("command count", count);
    snprintf(count, sizeof(count), "*%zu\r\n*10\r\n", command_rows.count);
    expect_part("command", count);
    expect_part("command info", count);
    expect("command getkeys ping", "-ERR The command has no key arguments\r\n");
    expect("command getkeysandflags nonsense", "-ERR Invalid command specified\r\n");
    expect("command list filterby pattern *PIN*", "*1\r\n$4\r\nping\r\n");
    expect("command list filterby aclcat blocking", "*2\r\n$4\r\nwait\r\n$7\r\nwaitaof\r\n");
    expect("command list filterby module x", "*0\r\n");
    expect("command list filterby aclcat x", "*0\r\n");
    expect("command list filterby foo x", "-ERR syntax error\r\n");
    expect("command list filterby pattern", "-ERR syntax error\r\n");
    expect_part("command list", "$11\r\nclient|capa\r\n");
}

COMMAND_TEST(help_comes_from_the_table)
{
    expect("module help",
           "*5\r\n+MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n+HELP\r\n"
           "+    Describes the subcommands.\r\n+LIST\r\n"
           "+    Returns an empty list: a relay loads no modules.\r\n");
    expect_part("client help", "+REPLY <ON | OFF | SKIP>\r\n");
}
