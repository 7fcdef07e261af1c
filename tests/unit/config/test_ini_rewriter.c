/* SPDX-License-Identifier: MIT
 *
 * CONFIG REWRITE, with files that are there: what is written, and what is left alone.
 */
#include "relay/config/ini_rewriter.h"

#include <sys/stat.h>
#include <unistd.h>

#include "relay/config/config.h"
#include "relay/net/loop.h"
#include "test.h"

static char directory[64];
static char ini[96];
static struct config config;
static struct text why; /* a refusal, or the outcome */
static struct loop *loop;
static struct ini_rewriter *rewriter;
static unsigned ended;

#define PRIMARY "[upstream]\nreplicaof = 10.0.0.1 6379\n"

static void write_ini(const char *content)
{
    FILE *file = fopen(ini, "we");
    CHECK(file != NULL && fputs(content, file) >= 0 && fclose(file) == 0);
}

static void expect_ini(const char *expected)
{
    char content[4096] = {0};
    FILE *file = fopen(ini, "re");
    CHECK(file != NULL);
    size_t length = fread(content, 1, sizeof(content) - 1, file);
    CHECK(fclose(file) == 0 && length < sizeof(content) - 1);
    assert_string_equal(content, expected);
}

static void load(const char *content, const char *const *overrides, size_t count)
{
    write_ini(content);
    if (!config_load(&config, ini, overrides, count, &why))
        fail_msg("%s", text_string(&why));
}

static void tell(const struct config_difference *difference, void *arg)
{
    (void)difference;
    (void)arg;
}

static const struct config_watcher watcher = {.tell = tell};

static bool set(const char *name, const char *value)
{
    const struct setting_pair pair = {name, value};
    text_clear(&why);
    return config_set(&config, &pair, 1, &watcher, &why);
}

static void on_rewritten(const char *reason, void *arg)
{
    assert_ptr_equal(arg, &ended);
    ended++;
    if (reason != NULL)
        text_append_string(&why, reason);
    loop_stop(loop);
}

static enum commands_rewrite begin(void)
{
    text_clear(&why);
    ended = 0;
    return ini_rewriter_begin(rewriter, &config, true, &why);
}

/* Waits for the end. False: `why`. */
static bool rewrite(void)
{
    assert_false(ini_rewriter_is_busy(rewriter));
    assert_int_equal(begin(), COMMANDS_REWRITE_BEGUN);
    assert_true(ini_rewriter_is_busy(rewriter));
    loop_run(loop);
    assert_false(ini_rewriter_is_busy(rewriter));
    assert_int_equal(ended, 1);
    return why.length == 0;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/psync-relay-rewriter-XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    snprintf(ini, sizeof(ini), "%s/relay.ini", directory);
    text_init(&why, 4096);
    log_set_level(LOG_LEVEL_ERROR);
    loop = loop_new(&(struct error){0});
    rewriter = ini_rewriter_new(loop, on_rewritten, &ended);
    CHECK(rewriter != NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ini_rewriter_free(&rewriter);
    loop_free(&loop);
    text_fini(&why);
    unlink(ini);
    return rmdir(directory); /* nothing is left beside it */
}

#define REWRITER_TEST(name) TEST_SETUP(name, set_up, tear_down)

REWRITER_TEST(what_was_set_is_written_and_nothing_else)
{
    static const char before[] = "# mine\n" PRIMARY "masterauth = s3cr;t\n\n[downstream]\n"
                                 "port=7000\n  timeout :  1\n[store]\n;fsync = everysec\n\n# end\n";
    load(before, NULL, 0);
    assert_int_equal(begin(), COMMANDS_REWRITE_NOT_NEEDED);
    expect_ini(before);

    assert_int_equal(chmod(ini, 0640), 0);
    assert_true(set("timeout", "30"));
    assert_true(set("fsync", "always"));
    assert_true(set("ack", "replicas 2"));
    assert_true(set("log-level", "warning"));
    assert_int_equal(ini_rewriter_begin(rewriter, &config, false, &why), COMMANDS_REWRITE_NEEDED);
    expect_ini(before);
    assert_true(rewrite());
    expect_ini("# mine\n" PRIMARY "masterauth = s3cr;t\nack = replicas 2\n\n[downstream]\n"
               "port=7000\n  timeout :  30\n[store]\nfsync = always\n\n# end\n"
               "\n[relay]\nlog-level = warning\n");
    struct stat status;
    assert_int_equal(stat(ini, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    /* The next start would have the same values. */
    assert_int_equal(begin(), COMMANDS_REWRITE_NOT_NEEDED);
    config_fini(&config);
}

/* --set overrides the ini at the next start, too: it is not written, unless it was changed since. */
REWRITER_TEST(what_an_override_gives_is_not_written)
{
    static const char *const overrides[] = {"store.fsync=always", "downstream.timeout=5"};
    load(PRIMARY, overrides, 2);
    assert_int_equal(begin(), COMMANDS_REWRITE_NOT_NEEDED);
    expect_ini(PRIMARY);
    assert_true(set("timeout", "6"));
    assert_true(rewrite());
    expect_ini(PRIMARY "\n[downstream]\ntimeout = 6\n");
    config_fini(&config);
}

REWRITER_TEST(a_rewrite_that_cannot_be_leaves_the_ini)
{
    const char *override = "upstream.replicaof=10.0.0.1 6379";
    assert_true(config_load(&config, NULL, &override, 1, &why));
    assert_int_equal(begin(), COMMANDS_REWRITE_REFUSED);
    assert_string_equal(text_string(&why), "ERR The server is running without a config file");
    config_fini(&config);

    load(PRIMARY, NULL, 0);
    assert_true(set("timeout", "6"));
    write_ini("what is that\n" PRIMARY);
    assert_int_equal(begin(), COMMANDS_REWRITE_REFUSED);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "ERR Rewriting config file: %s:1: expected [section], key = value or a comment", ini);
    assert_string_equal(text_string(&why), expected);
    expect_ini("what is that\n" PRIMARY);

    unlink(ini);
    assert_int_equal(begin(), COMMANDS_REWRITE_REFUSED);
    assert_non_null(strstr(text_string(&why), "No such file or directory"));
    write_ini(PRIMARY); /* for tear_down */
    config_fini(&config);
}

/* The link stays one, and what it leads to is replaced. */
REWRITER_TEST(a_symbolic_link_is_followed)
{
    char target[96];
    snprintf(target, sizeof(target), "%s/target", directory);
    write_ini(PRIMARY);
    assert_int_equal(rename(ini, target), 0);
    assert_int_equal(symlink("target", ini), 0);
    assert_true(config_load(&config, ini, NULL, 0, &why));
    assert_true(set("timeout", "6"));
    assert_true(rewrite());
    struct stat status;
    assert_int_equal(lstat(ini, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    expect_ini(PRIMARY "\n[downstream]\ntimeout = 6\n");
    unlink(target);
    config_fini(&config);
}

/* Who stops the relay waits for the disk, and finds the new ini. */
REWRITER_TEST(one_that_is_under_way_is_ended_at_the_stop)
{
    load(PRIMARY, NULL, 0);
    assert_true(set("timeout", "6"));
    assert_int_equal(begin(), COMMANDS_REWRITE_BEGUN);
    ini_rewriter_free(&rewriter);
    assert_int_equal(ended, 0);
    expect_ini(PRIMARY "\n[downstream]\ntimeout = 6\n");
    config_fini(&config);
}

/* What it is told does not depend on the config, which may change at once. */
REWRITER_TEST(what_is_set_meanwhile_is_for_the_next)
{
    load(PRIMARY, NULL, 0);
    assert_true(set("timeout", "6"));
    assert_int_equal(begin(), COMMANDS_REWRITE_BEGUN);
    assert_true(set("timeout", "7"));
    loop_run(loop);
    expect_ini(PRIMARY "\n[downstream]\ntimeout = 6\n");
    assert_true(rewrite());
    expect_ini(PRIMARY "\n[downstream]\ntimeout = 7\n");
    config_fini(&config);
}
