/* SPDX-License-Identifier: MIT */
#include "relay/config/descriptors.h"

#include <sys/resource.h>

#include "relay/base/log.h"
#include "relay/config/config.h"
#include "test.h"

enum { MB = 1024 * 1024 };

static struct config config_of(unsigned clients_max)
{
    struct config config = {.log_file = ""};
    config.downstream.clients_max = clients_max;
    config.downstream.threads = 2;
    config.store.window_bytes = 10 * MB;
    config.store.window_bytes_max = 100 * MB;
    config.store.segment_bytes = MB;
    return config;
}

TEST(the_store_comes_first)
{
    struct config config = config_of(1000);
    struct descriptors_plan plan = descriptors_plan(&config, 1000000);
    assert_in_range(plan.own, 102 + 32, 300);
    assert_int_equal(plan.wanted, plan.own + 1000);
    assert_int_equal(plan.clients_max, 1000);
    assert_int_equal(descriptors_plan(&config, plan.wanted).clients_max, 1000);
    assert_int_equal(descriptors_plan(&config, plan.wanted - 1).clients_max, 999);
    assert_int_equal(descriptors_plan(&config, plan.own + 8).clients_max, 8);
    assert_int_equal(descriptors_plan(&config, plan.own + 7).clients_max, 0);
    assert_int_equal(descriptors_plan(&config, 0).clients_max, 0);
}

TEST(more_segments_need_more)
{
    struct config config = config_of(1000);
    uint64_t before = descriptors_plan(&config, 0).own;
    config.store.segment_bytes = MB / 2;
    assert_int_equal(descriptors_plan(&config, 0).own, before + 100);
}

static void limit_to(rlim_t files)
{
    const struct rlimit limit = {files, files};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* In this order: a hard limit is not raised again. */
TEST(what_the_system_allows_is_shared_out)
{
    struct config config = config_of(1000);
    uint64_t own = descriptors_plan(&config, 0).own;
    struct text why;
    text_init(&why, 1000);

    limit_to(own + 50);
    assert_true(descriptors_provide(&config, &why));
    assert_int_equal(config.downstream.clients_max, 50);
    assert_int_equal(config.commands.clients_max, 50);

    limit_to(own);
    assert_false(descriptors_provide(&config, &why));
    assert_non_null(strstr(text_string(&why), "open files"));
    assert_non_null(strstr(text_string(&why), "segment-size"));
    assert_non_null(strstr(text_string(&why), "LimitNOFILE"));
    assert_null(strchr(text_string(&why), '\n'));
    text_fini(&why);
}

static int lower_log_level(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

TEST_GROUP(lower_log_level, NULL);
