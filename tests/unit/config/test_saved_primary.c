/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <unistd.h>

#include "relay/config/config.h"
#include "relay/config/saved_primary.h"
#include "relay/store/store.h"

static const struct primary_address other = {.host = "10.0.0.2", .port = 7000};

#define NOTE                                                                                       \
    "psync-relay origin 1\nfollow 10.0.0.2 7000\nreplicaof 10.0.0.1 6379, 10.0.0.3 6379\n"         \
    "sentinel mymaster 10.0.0.7:26379 [::1]:26379\n"

static struct config config;

static struct primary_address address(const char *host, uint16_t port)
{
    struct primary_address made = {.port = port};
    snprintf(made.host, sizeof(made.host), "%s", host);
    return made;
}

static int set_up(void **state)
{
    (void)state;
    memset(&config, 0, sizeof(config));
    config.upstream.primary.count = 2;
    config.upstream.primary.at[0] = address("10.0.0.1", 6379);
    config.upstream.primary.at[1] = address("10.0.0.3", 6379);
    snprintf(config.sentinel.name, sizeof(config.sentinel.name), "mymaster");
    config.sentinel.sentinels.count = 2;
    config.sentinel.sentinels.at[0] = address("10.0.0.7", 26379);
    config.sentinel.sentinels.at[1] = address("::1", 26379);
    return 0;
}

#define CONFIG_TEST(name) TEST_SETUP(name, set_up, NULL)

static enum saved_primary_verdict parse(const char *note)
{
    struct primary_address out = address("untouched", 1);
    enum saved_primary_verdict verdict = saved_primary_parse(bytes_of(note), &config, &out);
    bool counts = verdict == SAVED_PRIMARY_COUNTS;
    assert_string_equal(out.host, counts ? other.host : "untouched");
    assert_int_equal(out.port, counts ? other.port : 1);
    return verdict;
}

CONFIG_TEST(is_written_and_read)
{
    struct text out;
    text_init(&out, 4096);
    saved_primary_format(&config, &other, SAVED_PRIMARY_TELLER_REPLICAOF, &out);
    assert_string_equal(text_string(&out), NOTE);
    assert_int_equal(parse(NOTE), SAVED_PRIMARY_COUNTS);
    text_clear(&out);
    saved_primary_format(&config, &other, SAVED_PRIMARY_TELLER_SENTINEL, &out);
    assert_string_equal(text_string(&out), NOTE "told-by sentinel\n");
    text_fini(&out);
    assert_int_equal(parse(NOTE "told-by sentinel\n"), SAVED_PRIMARY_COUNTS);
    assert_int_equal(parse(NOTE "told-by nobody\n"), SAVED_PRIMARY_OVERRULED);
}

/* Whatever of the two is altered in the ini, the ini wins. */
CONFIG_TEST(other_settings_overrule_it)
{
    config.upstream.primary.at[1].port = 6380;
    assert_int_equal(parse(NOTE), SAVED_PRIMARY_OVERRULED);
    set_up(NULL);
    config.upstream.primary.count = 1;
    assert_int_equal(parse(NOTE), SAVED_PRIMARY_OVERRULED);
    set_up(NULL);
    config.sentinel.name[0] = 'M';
    assert_int_equal(parse(NOTE), SAVED_PRIMARY_OVERRULED);
    set_up(NULL);
    config.sentinel.sentinels.count = 0;
    config.sentinel.name[0] = '\0';
    assert_int_equal(parse(NOTE), SAVED_PRIMARY_OVERRULED);
    set_up(NULL);
    assert_int_equal(parse(NOTE), SAVED_PRIMARY_COUNTS);
}

/* Cut off at any place, or with any byte altered, it never leads elsewhere. */
CONFIG_TEST(damage)
{
    for (size_t length = 0; length < sizeof(NOTE) - 1; length++) {
        char cut[sizeof(NOTE)] = NOTE;
        cut[length] = '\0';
        assert_int_not_equal(parse(cut), SAVED_PRIMARY_COUNTS);
    }
    size_t first = strlen("psync-relay origin 1\nfollow ");
    size_t last = first + strlen("10.0.0.2 7000");
    for (size_t position = 0; position < sizeof(NOTE) - 1; position++) {
        if (position >= first && position < last)
            continue; /* another address is another address */
        char altered[sizeof(NOTE)] = NOTE;
        altered[position] ^= 1;
        struct primary_address out;
        assert_int_not_equal(
            saved_primary_parse(bytes_at(altered, sizeof(NOTE) - 1), &config, &out),
            SAVED_PRIMARY_COUNTS);
    }
    static const char *const nonsense[] = {
        "",
        "psync-relay origin 2\nfollow a 1\nreplicaof \nsentinel \n",
        "psync-relay origin 1\nfollow \nreplicaof \nsentinel \n",
        "psync-relay origin 1\nfollow a\nreplicaof \nsentinel \n",
        "psync-relay origin 1\nfollow a 0\nreplicaof \nsentinel \n",
        "psync-relay origin 1\nfollow a 1, b 2\nreplicaof \nsentinel \n",
    };
    for (size_t i = 0; i < LENGTH_OF(nonsense); i++)
        assert_int_equal(parse(nonsense[i]), SAVED_PRIMARY_NONSENSE);
    struct primary_address out;
    assert_int_equal(
        saved_primary_parse(LITERAL("psync-relay origin 1\nfollow a 1\0\n"), &config, &out),
        SAVED_PRIMARY_NONSENSE);
}

/* In a real store, over a restart. */
CONFIG_TEST(is_remembered)
{
    char path[] = "/tmp/psync-relay-memo-XXXXXX";
    assert_non_null(mkdtemp(path));
    struct text why;
    text_init(&why, 500);
    const struct store_options options = {.data_dir = path,
                                          .window_bytes = 1 << 20,
                                          .window_bytes_max = 1 << 20,
                                          .segment_bytes = 1 << 20};
    struct store *store = store_open(&options, &why);
    assert_non_null(store);
    struct primary_address out;
    assert_false(saved_primary_recall(store, &config, &out));
    const struct primary_address before = address("10.0.0.9", 1);
    saved_primary_keep(store, &config, &before, SAVED_PRIMARY_TELLER_REPLICAOF);
    saved_primary_keep(store, &config, &other, SAVED_PRIMARY_TELLER_SENTINEL);
    store_close(&store);

    store = store_open(&options, &why);
    assert_non_null(store);
    assert_true(saved_primary_recall(store, &config, &out));
    assert_string_equal(out.host, other.host);
    assert_int_equal(out.port, other.port);
    config.upstream.primary.count = 1;
    assert_false(saved_primary_recall(store, &config, &out));
    config.upstream.primary.count = 2;
    assert_false(saved_primary_recall(store, &config, &out)); /* it is gone for good */
    store_close(&store);

    char lock[80];
    snprintf(lock, sizeof(lock), "%s/lock", path);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(path), 0);
    text_fini(&why);
}
